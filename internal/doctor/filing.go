package doctor

import "github.com/sealmilter/sealmilter/internal/doctor/words"

// Quarantine is the finding about mail that the policy quarantines. mode is
// policy.quarantine; filed is the file by which this host's delivery puts tagged
// mail into a folder of its own, "" when none was found.
func Quarantine(mode, filed string) Finding {
	f := Finding{Level: Pass, Check: "mta", Subject: "X-Quarantine"}
	switch {
	case mode == "hold":
		f.Message = words.Say("quarantined mail waits in the MTA's hold queue")
	case filed != "":
		f.Message = words.Say("quarantined mail is filed by %s", clip(filed))
	default:
		f.Level, f.Who = Warn, You
		f.Message = words.Say("quarantined mail lies among the rest: nothing that was found here files it, and forgers can choose it over a rejection")
		f.Want = words.Say("a filter of all users, as Sieve's `if exists \"X-Quarantine\" { fileinto :create \"Junk\"; stop; }` (the guides have whole files), or policy: {quarantine: hold}")
	}
	return f
}
