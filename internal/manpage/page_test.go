package manpage

import "testing"

// A line of text is never taken for a request.
func TestRoffLines(t *testing.T) {
	p := &Page{}
	p.Text(".so /etc/shadow\n'x\na\\b")
	if got, want := p.String(), "\\&.so /etc/shadow\n\\&'x\na\\eb\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
