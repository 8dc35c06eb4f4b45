package auth

import (
	"errors"
	"strings"

	"github.com/sealmilter/sealmilter/auth/header"
)

// Address is what some reading of a field has for an address.
type Address struct {
	// Local is as written, comments removed. "": the reading has none, or there
	// are more than maxMailboxes of the domain, and this one stands for the rest.
	Local  string
	Domain string // A-labels, lower case
}

func (a Address) String() string { return a.Local + "@" + a.Domain }

// note records that a reading has an address in domain, with the local part that
// c.local is.
func (c *collector) note(domain string) {
	a := Address{c.local, domain}
	if c.known[a] {
		return
	}
	if c.known == nil {
		c.known, c.perDomain = map[Address]bool{}, map[string]int{}
	}
	if c.perDomain[domain] >= maxMailboxes {
		if a.Local = ""; c.known[a] {
			return
		}
	}
	c.known[a] = true
	c.perDomain[domain]++
	c.addresses = append(c.addresses, a)
}

// ParseSender reads every RFC5322.Sender field in the ways of ParseAuthor and
// returns the addresses of all readings. A field without any address names
// nobody. The error says that a field cannot be read.
func ParseSender(h header.Fields) ([]Address, error) {
	var all []Address
	for _, f := range h {
		if !strings.EqualFold(header.Visible(f.Name), "Sender") {
			if countHidden(f, "Sender") > 0 {
				return nil, errors.New("a Sender field is hidden in another one")
			}
			continue
		}
		a := ParseAuthor(header.Fields{{Name: "From", Value: f.Value}})
		if a.Err != nil && !errors.Is(a.Err, ErrNoAuthor) {
			return nil, errors.New("the Sender field cannot be read")
		}
		all = append(all, a.Addresses...)
	}
	return all, nil
}
