package config

import (
	"reflect"
	"strings"
	"testing"
)

// TestCheckString: the first and the last that each kind of text may have.
func TestCheckString(t *testing.T) {
	x := strings.Repeat("x", 80)
	for check, texts := range map[string]map[string]bool{
		"":         {"a ~ü": true, "a\x1f": false, "a\x7f": false, "a\n": false},
		"path":     {"/a": true, "a": false},
		"token":    {x[:64]: true, x[:65]: false, "a b": false, "a/b": false},
		"field":    {x[:76]: true, x[:77]: false, "!~": true, "a b": false, "a:": false, "a;": false, "ü": false},
		"hostport": {"h:1": true, "[::1]:65535": true, "h:0": false, "h:65536": false, "h:x": false, "h": false, "::1:1": false, "a b:1": false},
		"domain":   {"예.example": true, "a..b": false},
	} {
		for s, want := range texts {
			text := s
			if err := checkString(&text, reflect.StructTag(`check:"`+check+`"`)); (err == nil) != want {
				t.Errorf("%s %.90q: %v", check, s, err)
			}
		}
	}
}
