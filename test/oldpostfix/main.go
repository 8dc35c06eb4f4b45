// Command oldpostfix plays as much of a Postfix as `sealmilter setup postfix` and
// the milters see of it, in the versions that cannot be installed where the tests
// run. What it does is what real builds of 2.10.1 and of a 3.12 snapshot were seen
// to do: before 2.10.5 and 2.11.3 the first field of a message is hidden from each
// milter, there are no braces in smtpd_milters, no SMTPUTF8 and no postconf -P and
// -F; from 3.8 on postconf -c DIR names the folder that was compiled in while
// main.cf is young. It delivers nothing.
//
// usage: oldpostfix -version V -lab DIR PROGRAM ARGS..., where PROGRAM is
// postconf, postfix, sendmail or master. The lab is the folder below which
// everything lies: calls is a log of what was called; a file hang-WORD makes the
// next `postfix WORD` hang, and `sendmail` for hang-sendmail.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/internal/postfix"
	"github.com/sealmilter/sealmilter/internal/postfix/version"
)

type fake struct {
	lab     string
	text    string // mail_version
	version version.Version
	dir     string // of main.cf
}

func main() {
	var f fake
	flag.StringVar(&f.lab, "lab", "", "folder of everything")
	flag.StringVar(&f.text, "version", "2.10.1", "mail_version")
	flag.Parse()
	f.version, _ = version.Parse(f.text)
	f.dir = f.compiledIn()
	program, args := flag.Arg(0), flag.Args()[1:]
	run := map[string]func([]string) error{"postconf": f.postconf, "postfix": f.postfix, "sendmail": f.sendmail, "master": f.master}[program]
	f.called(program, args)
	if err := run(args); err != nil {
		fmt.Fprintf(os.Stderr, "%s: fatal: %v\n", program, err)
		os.Exit(1)
	}
}

// compiledIn is the folder that a Postfix looks into that was told of none: in the
// lab another instance's.
func (f *fake) compiledIn() string { return filepath.Join(f.lab, "default-instance") }

func (f *fake) called(program string, args []string) {
	log, err := os.OpenFile(filepath.Join(f.lab, "calls"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err == nil {
		fmt.Fprintln(log, program, strings.Join(args, " "))
		log.Close()
	}
}

// hang does so once, where the lab says it.
func (f *fake) hang(word string) {
	if os.Remove(filepath.Join(f.lab, "hang-"+word)) == nil {
		f.called("hanging", []string{word, strconv.Itoa(os.Getpid())})
		time.Sleep(time.Hour)
	}
}

// defaults of 2.10.1, as far as set-up and doctor look at them.
const defaults = `command_directory = /usr/sbin
content_filter =
daemon_directory = /usr/libexec/postfix
header_checks =
inet_interfaces = all
internal_mail_filter_classes =
mail_name = Postfix
mail_owner = postfix
milter_default_action = tempfail
milter_macro_daemon_name = $myhostname
milter_protocol = 6
multi_instance_directories =
mydestination = $myhostname
myhostname = mail.example.com
mynetworks = 127.0.0.0/8
myorigin = $myhostname
non_smtpd_milters =
queue_directory = /var/spool/postfix
receive_override_options =
sendmail_path = /usr/sbin/sendmail
smtpd_milters =
smtpd_proxy_filter =
`

// values are the parameters in force.
func (f *fake) values() (postfix.Values, error) {
	main, err := os.ReadFile(filepath.Join(f.dir, "main.cf"))
	if err != nil {
		return nil, err
	}
	v := postfix.ParseValues(defaults)
	v["mail_version"], v["config_directory"] = f.text, f.dir
	if f.version.AtLeast(3, 8) {
		v["config_directory"] = f.compiledIn()
	}
	cf := postfix.ParseMain(string(main))
	for _, n := range cf.Names() {
		v[n], _ = cf.Get(n)
	}
	return v, nil
}

func (f *fake) postconf(args []string) error {
	bare := false
	var names []string
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "-c" && i+1 < len(args):
			i++
			f.dir = args[i]
		case a == "-h":
			bare = true
		case a == "-x":
		case strings.HasPrefix(a, "-"):
			return fmt.Errorf("usage: postconf [-c config_dir] [-h] [-x] [name...]: %s", a)
		default:
			names = append(names, a)
		}
	}
	v, err := f.values()
	if err != nil {
		if len(names) != 1 || names[0] != "config_directory" {
			return err
		}
		v = postfix.Values{"config_directory": f.dir}
	}
	if names == nil {
		for n := range v {
			names = append(names, n)
		}
		sort.Strings(names)
	}
	for _, n := range names {
		if bare {
			fmt.Println(v[n])
		} else {
			fmt.Println(n, "=", v[n])
		}
	}
	return nil
}

// postfix -c DIR status is true as long as the lab has its master.
func (f *fake) postfix(args []string) error {
	if len(args) != 3 || args[0] != "-c" {
		return fmt.Errorf("usage: postfix -c config_dir command")
	}
	f.dir = args[1]
	f.hang(args[2])
	if args[2] == "check" {
		_, err := f.values()
		return err
	}
	return nil
}
