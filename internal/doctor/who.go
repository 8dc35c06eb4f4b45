package doctor

import "github.com/sealmilter/sealmilter/internal/doctor/words"

// Who has to do what a finding asks for.
type Who string

const (
	Nobody   Who = ""         // there is nothing to do
	You      Who = "you"      // on this host: milter.yaml, the MTA, the system
	Zone     Who = "zone"     // who keeps the DNS zone of the name
	Provider Who = "provider" // who gave us the address: it is their zone, their firewall
	Service  Who = "service"  // who holds the key, or runs the relay
	Reports  Who = "reports"  // who keeps the zone of the domain that gets the reports
	List     Who = "list"     // who runs the block list; it is asked by you
)

// Text says it to a person.
func (w Who) Text() words.Text {
	switch w {
	case You:
		return words.Say("you, on this host")
	case Zone:
		return words.Say("the owner of the DNS zone")
	case Provider:
		return words.Say("whoever gave you the address: provider or cloud")
	case Service:
		return words.Say("the service that holds the key, or runs the relay")
	case Reports:
		return words.Say("the owner of the domain that gets the reports")
	case List:
		return words.Say("you, by asking whoever runs the list")
	}
	return words.Text{}
}
