package mta

import (
	"fmt"
	"testing"
)

func TestParseListen(t *testing.T) {
	got := parseListen("Listen=/run/sealmilter/milter.sock (Stream)\nListen=/var/spool/postfix/sealmilter/milter.sock (Stream)\nListen=127.0.0.1:8891 (Stream)\n\n")
	if fmt.Sprint(got) != "[/run/sealmilter/milter.sock /var/spool/postfix/sealmilter/milter.sock]" {
		t.Errorf("%v", got)
	}
	if got := parseListen("Listen=\n"); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
