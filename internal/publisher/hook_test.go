package publisher

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/internal/problem"
)

// script makes a hook.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func newHook(t *testing.T, text string) Publisher {
	t.Helper()
	p, err := NewHook(HookConfig{Path: script(t, text)})
	if err != nil {
		t.Fatal(err, problem.Hint(err))
	}
	return p
}

var sample = Change{Name: "s1._domainkey.example.com", Value: `v=DKIM1; p=` + strings.Repeat("A", 300) + `"\`, TTL: 300}

// The program sees the record, and nothing of ours.
func TestHookEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	out := filepath.Join(t.TempDir(), "out")
	h := newHook(t, `{ echo "$# $*"; pwd; tr '\0' '\n' </proc/$$/environ; readlink /proc/$$/fd/0; } >`+out)
	for _, c := range []Change{sample, {Name: "s1.customer.hoster.example", Remove: true}} {
		if err := h.Publish(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(strings.TrimSpace(string(text)), "\n")
		want := []string{"1 publish", "/", "/dev/null", "SEALMILTER_ACTION=publish", "SEALMILTER_NAME=s1._domainkey.example.com", "SEALMILTER_VALUE=" + sample.Value,
			"SEALMILTER_TTL=300", "SEALMILTER_DOMAIN=example.com", "SEALMILTER_SELECTOR=s1",
			`SEALMILTER_BIND=s1._domainkey.example.com. 300 IN TXT "v=DKIM1; p=` + strings.Repeat("A", 244) + `" "` + strings.Repeat("A", 56) + `\"\\"`}
		if c.Remove {
			want = []string{"1 remove", "/", "/dev/null", "SEALMILTER_ACTION=remove", "SEALMILTER_NAME=s1.customer.hoster.example", "SEALMILTER_VALUE=",
				"SEALMILTER_TTL=0", "SEALMILTER_DOMAIN=", "SEALMILTER_SELECTOR=", "SEALMILTER_BIND="}
		}
		for _, line := range got {
			name, _, _ := strings.Cut(line, "=")
			if !slices.Contains(want, line) && !slices.Contains([]string{"PATH", "LANG", "LC_ALL"}, name) {
				t.Errorf("it has %s", line)
			}
		}
		for _, line := range want {
			if !slices.Contains(got, line) {
				t.Errorf("it lacks %s in\n%s", line, text)
			}
		}
	}
}

func TestHookEnds(t *testing.T) {
	for title, tc := range map[string]struct {
		script string
		want   string // "": done
		later  bool
	}{
		"done":            {"echo well", "", false},
		"done, and talks": {"head -c 5000000 /dev/zero", "", false},
		"leaves a child":  {"sleep 30 & exit 0", "", false},
		"later":           {"echo busy; exit 75", "try again later: busy", true},
		"fails":           {"echo no >&2; echo such zone; exit 3", "exit status 3: no\nsuch zone", false},
		"fails silently":  {"exit 1", "exit status 1", false},
		"killed":          {"kill -9 $$", "signal: killed", false},
	} {
		t.Run(title, func(t *testing.T) {
			err := newHook(t, tc.script).Publish(t.Context(), sample)
			if (err == nil) != (tc.want == "") || err != nil && !strings.HasSuffix(err.Error(), tc.want) || errors.Is(err, ErrLater) != tc.later {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

// What it says is told as far as somebody reads it.
func TestHookOutputIsBounded(t *testing.T) {
	err := newHook(t, "yes n | head -c 3000000; exit 1").Publish(t.Context(), sample)
	if err == nil || len(err.Error()) > maxSaid+200 || !strings.HasSuffix(err.Error(), "n ...") {
		t.Errorf("%d bytes", len(err.Error()))
	}
}

// ending is a context that ends when the test says so, and of what it says.
type ending struct {
	context.Context
	done chan struct{}
	err  error
}

func (e *ending) Done() <-chan struct{} { return e.done }
func (e *ending) Err() error {
	select {
	case <-e.done:
		return e.err
	default:
		return nil
	}
}

// One that hangs ends with its context, with what it has started: nobody holds the
// pipe any more.
func TestHookHangs(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{context.DeadlineExceeded, "did not end in time: try again later: waiting"},
		{context.Canceled, "ended with us: try again later"},
	} {
		pipe := filepath.Join(t.TempDir(), "pipe")
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		ours, err := os.OpenFile(pipe, os.O_RDWR|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		r, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		ctx := &ending{t.Context(), make(chan struct{}), tc.err}
		go func() {
			if _, err := r.Read(make([]byte, 10)); err != nil {
				t.Error(err)
			}
			ours.Close()
			close(ctx.done)
		}()
		err = newHook(t, "exec 3>"+pipe+"; echo waiting; sleep 1000 & echo >&3; wait").Publish(ctx, sample)
		if err == nil || !errors.Is(err, ErrLater) || !strings.HasSuffix(err.Error(), tc.want) {
			t.Errorf("%v, want %q", err, tc.want)
		}
		_ = r.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := r.Read(make([]byte, 10)); n != 0 || err != io.EOF {
			t.Errorf("its child lives: %v", err)
		}
	}
}

func TestHookRefuses(t *testing.T) {
	dir := t.TempDir()
	chmod := func(path string, mode os.FileMode) string {
		t.Helper()
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	in := func(mode os.FileMode) string { // a good hook in a folder of this mode
		path := script(t, "exit 0")
		chmod(filepath.Dir(path), mode)
		return path
	}
	link := func(to string) string {
		path := filepath.Join(t.TempDir(), "it's a link")
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open := chmod(script(t, ""), 0o757)
	for title, tc := range map[string]struct{ path, want, hint string }{
		"good":              {in(0o755), "", ""},
		"a link to it":      {link(in(0o755)), "", ""},
		"others' sticky":    {in(0o777 | os.ModeSticky), "", ""},
		"relative":          {"bin/hook", "not an absolute path", "absolute path"},
		"empty":             {"", "not an absolute path", ""},
		"with arguments":    {in(0o755) + " x", "no such file", ""},
		"not there":         {dir + "/none", "no such file", ""},
		"a folder":          {dir, "not a file", ""},
		"others may write":  {open, "mode 0757", "chmod go-w " + open},
		"its group may":     {chmod(script(t, ""), 0o775), "mode 0775", "chmod go-w "},
		"a link to such":    {link(open), "mode 0757", "chmod go-w " + open},
		"not executable":    {chmod(script(t, ""), 0o644), "not executable", "chmod 0755 "},
		"in an open folder": {in(0o777), "mode 0777", "chmod go-w "},
		"link in such":      {func() string { l := link(in(0o755)); chmod(filepath.Dir(l), 0o777); return l }(), "mode 0777", "chmod go-w "},
		"in a group's":      {in(0o775), "mode 0775", "chmod go-w "},
		"path to be quoted": {chmod(func() string { p := dir + "/it's"; os.WriteFile(p, nil, 0o755); return p }(), 0o646), "mode 0646", `chmod go-w '` + dir + `/it'\''s'`},
	} {
		t.Run(title, func(t *testing.T) {
			_, err := NewHook(HookConfig{Path: tc.path})
			if (err == nil) != (tc.want == "") || err != nil && (!strings.Contains(err.Error(), tc.want) || !strings.Contains(problem.Hint(err), tc.hint)) {
				t.Errorf("%v, hint %q", err, problem.Hint(err))
			}
		})
	}
	if _, err := NewHook(HookConfig{Path: in(0o755), Timeout: -1}); err == nil {
		t.Error("a negative timeout")
	}
}

func TestHookOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give a file away")
	}
	path := script(t, "exit 0")
	if err := os.Chown(path, 65534, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := NewHook(HookConfig{Path: path}); err == nil || problem.Hint(err) != "chown root: "+path {
		t.Errorf("%v, hint %q", err, problem.Hint(err))
	}
}

// What was good at the start is looked at again before each run.
func TestHookChanges(t *testing.T) {
	path := script(t, "exit 0")
	h, err := NewHook(HookConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := h.Publish(t.Context(), sample); err == nil || !strings.Contains(err.Error(), "mode 0777") {
		t.Error(err)
	}
}

// "text file busy" while somebody writes the program, and a file that is none, are
// told as they are.
func TestHookNoProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(path, []byte("exit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	h, err := NewHook(HookConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Publish(t.Context(), sample); err == nil || !strings.Contains(err.Error(), "exec format error") || !strings.Contains(problem.Hint(err), "#!") {
		t.Error(err, problem.Hint(err))
	}
}
