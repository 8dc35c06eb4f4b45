package header

import (
	"strings"
	"testing"
)

// The forms that programs write, with what the client chose in each.
func TestParseReceived(t *testing.T) {
	const none, unclear = "", "?"
	for _, tt := range []struct{ name, value, client, helo, with string }{
		{"Postfix", " from out.example (mx.out.example [192.0.2.1])\r\n\tby mx.example.com (Postfix) with ESMTP id 4Q\r\n\tfor <kim@example.com>; Sun, 22 Nov 2026 00:30:00 +0000 (UTC)", "192.0.2.1", "out.example", "ESMTP"},
		{"Postfix, IPv6", " from out.example (unknown [IPv6:2001:db8::1])\r\n\tby mx.example.com (Postfix) with ESMTPS id 4Q", "2001:db8::1", "out.example", "ESMTPS"},
		{"Postfix, TLS, a certificate and a login", " from pc (unknown [192.0.2.1])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n\t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)\r\n\t(Client CN \"[127.0.0.1]\", Issuer \"by x with LMTP\" (not verified))\r\n\t(Authenticated sender: [127.0.0.1])\r\n\tby mx (Postfix) with ESMTPSA id 4Q", "192.0.2.1", "pc", "ESMTPSA"},
		{"Postfix does not know the client", " from [127.0.0.1] (unknown [unknown]) by mx (Postfix) with ESMTP id 4Q", none, "[127.0.0.1]", "ESMTP"},
		{"Postfix, a recipient with specials", " from a (b [192.0.2.1]) by mx (Postfix) with ESMTP id 4Q\r\n\tfor <\"x) with HTTP; by (\"@example.com>; Sun, 22 Nov 2026 00:30:00 +0000", "192.0.2.1", "a", "ESMTP"},
		{"Postfix, HELO x (unknown [192.168.5.9])", " from x??unknown?[192.168.5.9]? (unknown [192.0.2.1]) by mx (Postfix) with ESMTP id 4Q", "192.0.2.1", "x??unknown?[192.168.5.9]?", "ESMTP"},
		{"Sendmail", " from out.example (root@mx.out.example. [192.0.2.1] (may be forged))\r\n\t(authenticated bits=0)\r\n\tby mx (8.17.1/8.17.1) with ESMTPS id 7A\r\n\t(version=TLSv1.3 cipher=x bits=256 verify=NO)\r\n\tfor <kim@example.com>; Sun, 22 Nov 2026 00:30:00 GMT", "192.0.2.1", "out.example", "ESMTPS"},
		{"Sendmail, no name", " from out.example ([192.0.2.1]) by mx (8.17.1/8.17.1) with SMTP id 7A", "192.0.2.1", "out.example", "SMTP"},
		{"Sendmail, IPv6", " from x ([IPv6:2001:db8:66:0:0:0:0:6]) by mx with ESMTP", "2001:db8:66::6", "x", "ESMTP"},
		{"Sendmail, ident and no name", " from x (root@[192.0.2.1]) by mx with ESMTP", "192.0.2.1", "x", "ESMTP"},
		{"Sendmail, a client without a name", " (from eve@mx.out.example [192.0.2.1]) by mx (8.9/8.9) id 7A", "192.0.2.1", "", ""},
		{"Sendmail, IDENT", " from x (IDENT:root@b [192.0.2.1]) by mx with SMTP", "192.0.2.1", "x", "SMTP"},
		{"Exim, a name", " from mx.out.example ([192.0.2.1] helo=[127.0.0.1])\r\n\tby mx with esmtps  (TLS1.3) tls TLS_AES_256_GCM_SHA384\r\n\t(Exim 4.96)\r\n\t(envelope-from <a@b.example>)\r\n\tid 1t-2\r\n\tfor kim@example.com;\r\n\tSun, 22 Nov 2026 00:30:00 +0000", "192.0.2.1", "[127.0.0.1]", "ESMTPS"},
		{"Exim, a port", " from x ([192.0.2.1]:46071 helo=h) by mx with esmtp (Exim)", "192.0.2.1", "h", "ESMTP"},
		{"Exim, no name", " from [192.0.2.1] (port=1234 helo=[127.0.0.1] ident=[127.0.0.1]) by mx with esmtp", "192.0.2.1", "[127.0.0.1]", "ESMTP"},
		{"Exim, ident alone", " from [192.0.2.1] (ident=mail) by mx with smtp", "192.0.2.1", "[192.0.2.1]", "SMTP"},
		{"Exim, nothing else", " from [2001:db8::1] by mx with smtp", "2001:db8::1", "[2001:db8::1]", "SMTP"},
		{"Exim, a program", " from www-data by mx with local (Exim 4.96)", none, "www-data", "LOCAL"},
		{"qmail", " from unknown (HELO mx.out.example) (192.0.2.1)\r\n  by mx with SMTP; 22 Nov 2026 00:30:00 -0000", "192.0.2.1", "mx.out.example", "SMTP"},
		{"qmail, ident", " from mx.out.example (127.0.0.1@192.0.2.1) by mx with SMTP", "192.0.2.1", "mx.out.example", "SMTP"},
		{"qmail that leaves brackets", " from unknown (HELO [127.0.0.1]) (192.0.2.1) by c", "192.0.2.1", "[127.0.0.1]", ""},
		{"Exchange", " from EX1.corp.example (192.0.2.1) by EX2.corp.example\r\n (10.0.0.2) with Microsoft SMTP Server (version=TLS1_2,\r\n cipher=x) id 15.1.2507.39 via Frontend\r\n Transport; Sun, 22 Nov 2026 00:30:00 +0000", "192.0.2.1", "EX1.corp.example", "MICROSOFT"},
		{"Exchange, a zone", " from EX1 ([fe80::1%12]) by EX1 ([fe80::1%12]) with mapi id 15.01", "fe80::1", "EX1", "MAPI"},
		{"IIS", " from mail pickup service by EX1 with Microsoft SMTPSVC; Sun, 22 Nov 2026 00:30:00 +0000", none, "mail", "MICROSOFT"},
		{"Courier", " from x (b [::ffff:192.0.2.1]) (AUTH: LOGIN kim) by mx with ESMTP", "192.0.2.1", "x", "ESMTP"},
		{"ZMailer", " from x ([IPv6:::ffff:192.0.2.1]:47061 \"EHLO\r\n\tmail.x\") by mx with ESMTP id <S1>", "192.0.2.1", "x", "ESMTP"},
		{"CommuniGate", " from [192.0.2.1] (HELO x) by mx (CommuniGate Pro SMTP 6.2) with ESMTP", "192.0.2.1", "x", "ESMTP"},
		{"an address and a port", " from x (192.0.2.1:1234) by mx with SMTP", "192.0.2.1", "x", "SMTP"},
		{"a bare address and EHLO", " from 192.0.2.1 (EHLO x) by mx with SMTP", "192.0.2.1", "x", "SMTP"},
		{"a bare address", " from 192.0.2.1 by mx", "192.0.2.1", "192.0.2.1", ""},
		{"Gmail", " from mail-ej1.example (mail-ej1.example. [192.0.2.1])\r\n        by mx.google.com with ESMTPS id a-1.2\r\n        for <kim@example.com>\r\n        (Google Transport Security);\r\n        Sat, 21 Nov 2026 16:30:00 -0800 (PST)", "192.0.2.1", "mail-ej1.example", "ESMTPS"},
		{"fetchmail", " from pop.isp.example [192.0.2.1]\r\n\tby localhost with POP3 (fetchmail-6.4.16)\r\n\tfor <kim@localhost> (single-drop); Sun, 22 Nov 2026 00:30:00 +0000 (UTC)", "192.0.2.1", "pop.isp.example", "POP3"},
		{"amavis", " from mx.example.com ([127.0.0.1])\r\n by localhost (mx.example.com [127.0.0.1]) (amavis, port 10024)\r\n with LMTP id A-1; Sun, 22 Nov 2026 00:30:00 +0000", "127.0.0.1", "mx.example.com", "LMTP"},
		{"Dovecot LMTP", " from mx.example.com\r\n\tby mx.example.com with LMTP\r\n\tid x\r\n\t(envelope-from <a@b.example>)\r\n\tfor <kim@example.com>; Sun, 22 Nov 2026 00:30:00 +0000", none, "mx.example.com", "LMTP"},
		{"Dovecot LMTP over TCP", " from mx.example.com ([192.0.2.1]) by box with LMTP id x", "192.0.2.1", "mx.example.com", "LMTP"},
		{"Cyrus LMTP", " from mx.example.com ([unix socket]) by box (Cyrus 3.6.1) with LMTPA; Sun, 22 Nov 2026 00:30:00 +0000", none, "mx.example.com", "LMTPA"},
		{"Zimbra LMTP", " from x (LHLO x) (192.0.2.1) by box with LMTP; Sun", "192.0.2.1", "x", "LMTP"},
		{"Roundcube", " from dsl-5.isp.example ([192.0.2.1])\r\n by webmail.example.com\r\n with HTTP (HTTP/1.1 POST); Sun, 22 Nov 2026 00:30:00 +0000", "192.0.2.1", "dsl-5.isp.example", "HTTP"},
		{"Roundcube, no name", " from [192.0.2.1]\r\n\tby webmail.example.com\r\n\twith HTTP (HTTP/2.0 POST); Sun", "192.0.2.1", "[192.0.2.1]", "HTTP"},
		{"Roundcube, IPv6", " from 2001:db8::1\r\n by webmail.example.com\r\n with HTTP (HTTP/1.1 POST); Sun", "2001:db8::1", "2001:db8::1", "HTTP"},
		{"Roundcube behind a proxy", " from dsl-5.isp.example ([192.0.2.1])\r\n via [10.253.37.253]\r\n by webmail.example.com\r\n with HTTP (HTTP/1.1 POST); Sun", "192.0.2.1", "dsl-5.isp.example", "HTTP"},
		{"Roundcube, encrypted", " from ac/DyQ6jpJ2+t0J6UA8xU6ZlPgbLJMOlsKiKJXl78VR4FAx13uXgyA==\r\n (rGXyzjDPG2gWuE2JDVrDLuPQcv0FzBEB)\r\n by webmail.example.com\r\n with HTTP (HTTP/1.1 POST); Sun", none, "ac/DyQ6jpJ2+t0J6UA8xU6ZlPgbLJMOlsKiKJXl78VR4FAx13uXgyA==", "HTTP"},
		{"Roundcube of 2009, encrypted", " from DzgkvJBO5+bw==\r\n [my0nUbjZXKtl7KVBZcsvWOxxtyVFxza4]\r\n with HTTP/1.1 (POST); Thu", none, "DzgkvJBO5+bw==", "HTTP"},
		{"a browser on the host", " from [127.0.0.1] by webmail.example.com with HTTP (HTTP/1.1 POST); Sun", none, "[127.0.0.1]", "HTTP"},
		{"Horde", " from dsl-5.isp.example (dsl-5.isp.example\r\n [192.0.2.1]) by webmail.example.com (Horde Framework) with HTTPS; Sun,\r\n 22 Nov 2026 00:30:00 +0000", "192.0.2.1", "dsl-5.isp.example", "HTTPS"},
		{"SquirrelMail", " from 192.0.2.1        (SquirrelMail authenticated user\r\n\t       kim@example.com)        by webmail.example.com with HTTP;        Sun, 22 Nov 2026 00:30:00 +0000 (UTC)", none, "192.0.2.1", "HTTP"},

		// What a client may choose where the MTA lets it through.
		{"PTR helo", " from x (helo [192.0.2.1]) by mx with ESMTP", "192.0.2.1", "[192.0.2.1]", "ESMTP"},
		{"PTR helo, HELO localhost's", " from [127.0.0.1] (helo [192.0.2.1]) by mx with ESMTP", unclear, "", ""},
		{"PTR an address", " from x (127.0.0.1 [192.0.2.1] (may be forged)) by mx with ESMTP", "192.0.2.1", "x", "ESMTP"},
		{"PTR in brackets", " from x ([127.0.0.1] [192.0.2.1]) by mx with ESMTP", unclear, "", ""},
		{"PTR by", " from x (by [192.0.2.1]) by mx with ESMTP", "192.0.2.1", "x", "ESMTP"},
		{"PTR from", " (from from@from [192.0.2.1]) by mx", "192.0.2.1", "", ""},
		{"PTR localhost", " (from root@localhost [192.0.2.1]) by mx", "192.0.2.1", "", ""},
		{"ident an address", " from x (127.0.0.1@127.0.0.1 [192.0.2.1]) by mx", "192.0.2.1", "x", ""},
		{"HELO by", " from by (unknown [192.0.2.1]) by mx with ESMTP", "192.0.2.1", "by", "ESMTP"},
		{"HELO from", " from from (unknown [192.0.2.1]) by mx with ESMTP", "192.0.2.1", "from", "ESMTP"},
		{"HELO with", " from with (unknown [192.0.2.1]) by mx with ESMTP", "192.0.2.1", "with", "ESMTP"},
		{"HELO a literal", " from [127.0.0.1] (unknown [192.0.2.1]) by mx with ESMTP", "192.0.2.1", "[127.0.0.1]", "ESMTP"},
		{"no HELO", " from (unknown [192.0.2.1]) by mx with ESMTP", "192.0.2.1", "", "ESMTP"},
		{"HELO x by y", " from x by y (unknown [192.0.2.1]) by mx with ESMTP", unclear, "", ""},
		{"HELO x [127.0.0.1]", " from x [127.0.0.1] (unknown [192.0.2.1]) by mx with ESMTP", unclear, "", ""},
		{"HELO x [127.0.0.1], PTR helo", " from x [127.0.0.1] (helo [192.0.2.1]) by mx with ESMTP", unclear, "", ""},
		{"HELO x (unknown [127.0.0.1])", " from x (unknown [127.0.0.1]) (unknown [192.0.2.1]) by mx with ESMTP", unclear, "", ""},
		{"HELO x([127.0.0.1])", " from x([127.0.0.1]) (unknown [192.0.2.1]) by mx with ESMTP", unclear, "", ""},
		{"HELO (", " from ( (unknown [192.0.2.1]) by mx with ESMTP", unclear, "", ""},
		{"HELO )", " from ) (unknown [192.0.2.1]) by mx with ESMTP", unclear, "", ""},
		{"HELO ;", " from ; (unknown [192.0.2.1]) by mx with ESMTP; Sun", unclear, "", ""},
		{"HELO x;", " from x; (unknown [192.0.2.1]) by mx with ESMTP", unclear, "", ""},
		{"HELO quote", " from \" (unknown [192.0.2.1]) by mx with ESMTP", unclear, "", ""},
		{"HELO quotes", " from \"x (b [127.0.0.1]) by\" (unknown [192.0.2.1]) by mx with ESMTP", "192.0.2.1", "\"x (b [127.0.0.1]) by\"", "ESMTP"},
		{"HELO backslash", " from x\\ (unknown [192.0.2.1]) by mx with ESMTP", "192.0.2.1", "x\\", "ESMTP"},
		{"HELO that ends the field", " from x (y [127.0.0.1]) by z with LMTP; (unknown [192.0.2.1]) by mx with ESMTP; Sun", unclear, "", ""},
		{"HELO that hides the rest in a comment", " from x (y [127.0.0.1]) by z with LMTP ( (unknown [192.0.2.1]) by mx with ESMTP; Sun", unclear, "", ""},
		{"Exim, HELO x) ([127.0.0.1]", " from [192.0.2.1] (helo=x) ([127.0.0.1]) by mx with esmtp", unclear, "", ""},
		{"Exim, HELO x [127.0.0.1]", " from [192.0.2.1] (helo=x [127.0.0.1]) by mx with esmtp", unclear, "", ""},
		{"Exim, HELO x) with HTTP (", " from [192.0.2.1] (helo=x) with HTTP () by mx with esmtp", unclear, "", ""},
		{"Exim, HELO (\\", " from [192.0.2.1] (helo=\\) by mx with esmtp", unclear, "", ""},
		{"Exim, a sender that ends the comment", " from [192.0.2.1] (helo=x) by mx with esmtp (envelope-from <\"x) with HTTP (\"@b>) id 1", unclear, "", ""},
		{"CommuniGate, HELO [127.0.0.1]", " from [192.0.2.1] (HELO [127.0.0.1]) by mx with ESMTP", unclear, "", ""},
		{"CommuniGate, HELO its own address", " from [192.0.2.1] (HELO [192.0.2.1]) by mx with ESMTP", "192.0.2.1", "[192.0.2.1]", "ESMTP"},
		{"HELO alone", " from x (HELO [127.0.0.1]) by mx with ESMTP", unclear, "", ""},
		{"two dates", " from x (y [127.0.0.1]); ; by mx", unclear, "", ""},
		{"deep comments", " from x (y [192.0.2.1] ((((((((()))))))))) by mx", unclear, "", ""},
		{"eight comments in each other", " from x (y [192.0.2.1] ((((((())))))))  by mx", "192.0.2.1", "x", ""},
		{"nine comments in each other", " from x (y [192.0.2.1] (((((((())))))))) by mx", unclear, "", ""},
		{"a comment before the address", " from x (y (z) [192.0.2.1]) by mx", "192.0.2.1", "x", ""},
		{"a comment at the name", " from x (y(z) [192.0.2.1]) by mx", "192.0.2.1", "x", ""},
		{"an escaped parenthesis in a comment", " from x (\\(y [192.0.2.1]) by mx", "192.0.2.1", "x", ""},
		{"an escaped quote in a quoted string", " from \"a\\\"b\" (y [192.0.2.1]) by mx", "192.0.2.1", "\"a\\\"b\"", ""},
		{"two literals behind the name", " from x [192.0.2.1] [198.51.100.1] by mx", unclear, "", ""},
		{"the same literal twice", " from x [192.0.2.1] [192.0.2.1] by mx", "192.0.2.1", "x", ""},
		{"a HELO word that is far behind", " from x ([192.0.2.1] a b helo=z) by mx", "192.0.2.1", "x", ""},
		{"a literal without its end", " from x (y [192.0.2.1) by mx", none, "x", ""},
		{"a literal without its beginning", " from x (y x192.0.2.1]) by mx", none, "x", ""},
		{"a literal with a name at its end", " from x (y [192.0.2.1]z) by mx", none, "x", ""},
		{"a literal of nothing", " from x (y ]) by mx", none, "x", ""},
		{"no address in the literal", " from x (y [999.0.2.1]) by mx", none, "x", ""},
		{"address behind the from clause", " from x (y) by mx ([192.0.2.1])", none, "x", ""},
		{"nobody is this host on his word", " from [127.0.0.1] by mx", none, "[127.0.0.1]", ""},
		{"an address alone", " 192.0.2.1", unclear, "", ""},
		{"nothing", "", unclear, "", ""},
		{"a date", "; Sun, 22 Nov 2026 00:30:00 +0000", unclear, "", ""},
		{"a comment with an address", " (unknown [192.0.2.1]) by mx", "192.0.2.1", "", ""},
		{"from twice", " from x (y [127.0.0.1]) from z (u [192.0.2.1]) by mx", unclear, "", ""},
		{"a comment before from", " (x) from a (b [192.0.2.1]) by mx", "192.0.2.1", "a", ""},
		{"the MSP's field and a client", " (from root@localhost) from a (b [192.0.2.1]) by mx", unclear, "", ""},
		{"two of the MSP's", " (from root@localhost) (from root@b [192.0.2.1]) by mx", "192.0.2.1", "", ""},
		{"folded everywhere", "\r\n\tfrom\r\n x\r\n\t(\r\n y\r\n\t[192.0.2.1]\r\n )\r\n by\r\n mx", "192.0.2.1", "x", ""},
		{"any case", " FROM x (y [192.0.2.1]) BY mx WITH smtp", "192.0.2.1", "x", "SMTP"},
		{"a long word", " from " + strings.Repeat("x", 100_000) + " (y [192.0.2.1]) by mx", "192.0.2.1", strings.Repeat("x", 100_000), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := ParseReceived(tt.value)
			client := ""
			if r.Client.IsValid() {
				client = r.Client.String()
			}
			if r == unreadable {
				client = unclear
			}
			if client != tt.client || r.Helo != tt.helo || r.With != tt.with || !r.FromClient {
				t.Errorf("%s\n got %q %q %q %v\nwant %q %q %q", tt.value, client, r.Helo, r.With, r.FromClient, tt.client, tt.helo, tt.with)
			}
		})
	}
}

// Fields of programs that no client handed anything to.
func TestParseReceivedOfPrograms(t *testing.T) {
	for value, with := range map[string]string{
		" by mx.example.com (Postfix, from userid 1000)\r\n\tid 4Q; Sun, 22 Nov 2026 00:30:00 +0000 (UTC)":           "",
		" (from root@localhost)\r\n\tby mx.example.com (8.17.1/8.17.1/Submit) id 7A; Sun, 22 Nov 2026 00:30:00 GMT":  "",
		" (qmail 123 invoked by uid 0); 22 Nov 2026 00:30:00 -0000":                                                  "",
		" (qmail 123 invoked from network); 22 Nov 2026 00:30:00 -0000":                                              "",
		" (majordomo@vger.example) by vger.example via listexpand\r\n\tid S1 (ORCPT <rfc822;a@b.example>);\r\n\tSun": "",
		" by 2002:a05:6a10:1234:b0:1:2:3 with SMTP id x-1csp123;\r\n        Sat, 21 Nov 2026 16:30:00 -0800 (PST)":   "SMTP",
		" with ECARTIS (v1.0.0; list x); Mon, 24 Feb 2003 04:18:57 +0000 (GMT)":                                      "ECARTIS",
		" by mx (Postfix) id 4Q for <\"a (b\"@example.com>; Sun, 22 Nov 2026 00:30:00 +0000":                         "",
		" by mx (a (b (c) \\) d)) with\r\n\tESMTP":                                                                   "ESMTP",
	} {
		if r := ParseReceived(value); r != (Received{With: with}) {
			t.Errorf("%s\n got %+v", value, r)
		}
	}
}

// The time that a field takes grows with its length, whatever it is made of.
func BenchmarkParseReceived(b *testing.B) {
	for name, piece := range map[string]string{"comments": "(a [192.0.2.1])", "open": "(", "quotes": "\"\\", "words": "x ", "from": "from "} {
		for _, n := range []int{1000, 100_000} {
			value := " from x " + strings.Repeat(piece, n/len(piece))
			b.Run(name+"/"+map[int]string{1000: "1kB", 100_000: "100kB"}[n], func(b *testing.B) {
				b.SetBytes(int64(n))
				for b.Loop() {
					ParseReceived(value)
				}
			})
		}
	}
}
