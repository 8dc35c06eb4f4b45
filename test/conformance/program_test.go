package conformance

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// program is a foreign implementation in a process of its own, which answers
// one request after the other; testdata/verdict.py describes the frames.
type program struct {
	in  io.Writer
	out io.Reader
	cmd *exec.Cmd
	log string // the file with what it says on stderr
}

// needProgram starts a script of testdata with an interpreter from Debian.
// probe is a one-line program that works where the package is installed.
func needProgram(t *testing.T, pkg, interpreter, flag, probe, script string) *program {
	t.Helper()
	if err := exec.Command(interpreter, flag, probe).Run(); err != nil {
		why := fmt.Sprintf("needs Debian's package %s (%s %s %q: %v): run test/e2e/install-packages.sh", pkg, interpreter, flag, probe, err)
		if os.Getenv("SEALMILTER_CI") == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	p := &program{cmd: exec.Command(interpreter, "testdata/"+script), log: filepath.Join(t.TempDir(), "stderr")}
	stderr, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	p.in, p.cmd.Stderr = in, stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	p.cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // the scripts end with their input
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("%s: %v", script, err)
		}
		if said := strings.TrimSpace(p.said()); said != "" {
			t.Errorf("%s said: %.2000s", script, said)
		}
	})
	return p
}

func (p *program) said() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// ask sends a request with the text that it is about, and reads the answer.
func (p *program) ask(request any, text string, answer any) error {
	q, err := json.Marshal(request)
	if err != nil {
		return err
	}
	for _, frame := range []string{string(q), text} {
		if _, err := p.in.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
			return err
		}
	}
	var size [4]byte
	if _, err := io.ReadFull(p.out, size[:]); err != nil {
		return fmt.Errorf("%s does not answer: %w: %.2000s", p.cmd.Args[1], err, p.said())
	}
	data := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(p.out, data); err != nil {
		return err
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return errors.Join(err, fmt.Errorf("answer %.200q", data))
	}
	return nil
}
