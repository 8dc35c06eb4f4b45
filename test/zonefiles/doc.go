// Package zonefiles hands what `sealmilter dns` prints to real name servers, BIND and
// NSD: their checkers take it, they load it, and our own resolver finds in their answers
// each record as published. Both come from Debian packages; the tests skip where they are
// missing, and fail there under SEALMILTER_CI=1.
package zonefiles
