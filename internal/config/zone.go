package config

import "golang.org/x/net/publicsuffix"

// Zone guesses the zone that a name is in: what was registered with it. Only the DNS
// knows whether somebody has cut a zone below.
func Zone(name string) string {
	zone, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil { // a public suffix itself
		return name
	}
	return zone
}
