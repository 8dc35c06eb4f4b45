package demo

import "net/netip"

const (
	configText = `authserv_id: mail.example.com
sign:
  domains: [example.com]
`
	// zoneText is all the Internet there is; the keys' records come on top.
	zoneText = `
example.com         TXT  "v=spf1 ip4:192.0.2.25 -all"
_dmarc.example.com  TXT  "v=DMARC1; p=reject"
mail.example.com    A    192.0.2.25
192.0.2.25          PTR  mail.example.com
bank.example        TXT  "v=spf1 ip4:198.51.100.1 -all"
_dmarc.bank.example TXT  "v=DMARC1; p=reject"
203.0.113.66        PTR  dsl-66.isp.example
dsl-66.isp.example  A    203.0.113.66
`
	mailText = `From: Alice <alice@example.com>
To: Bob <bob@example.net>
Subject: Lunch on Friday?
Date: Sat, 21 Nov 2026 12:00:00 +0000
Message-ID: <lunch-1@example.com>

Shall we meet at noon, at the usual place?

Alice
`
	spoofText = `From: "Your bank" <security@bank.example>
To: Bob <bob@example.com>
Subject: Your account has been locked
Date: Sat, 21 Nov 2026 12:05:00 +0000
Message-ID: <click-here@bank.example>

Please confirm your password.
`
	forgedText = `Authentication-Results: mail.example.com; dkim=pass header.d=bank.example;
	dmarc=pass header.from=bank.example
Authentication-Results: (innocent) "MAIL.example.com" 1; spf=pass
From: Mallory <mallory@isp.example>
To: Bob <bob@example.com>
Subject: Trust me
Date: Sat, 21 Nov 2026 12:06:00 +0000
Message-ID: <trust-me@isp.example>

I brought my own results.
`
)

var (
	homeIP    = netip.MustParseAddr("198.51.100.20") // Alice at home
	mailOutIP = netip.MustParseAddr("192.0.2.25")    // mail.example.com
	dslIP     = netip.MustParseAddr("203.0.113.66")  // somebody's computer
)
