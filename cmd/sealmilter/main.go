// Command sealmilter signs outbound mail and authenticates inbound mail beside
// Postfix or Sendmail. This folder is the front door: one file a subcommand,
// wiring only.
package main

import (
	"context"
	"os"
)

// version is set by the build.
var version = "devel"

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}
