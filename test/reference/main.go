// Command reference writes docs/milter.yaml.md: each option of config.Config with
// its default, what it may be, and what milter.yaml.example says about it.
package main

import (
	"fmt"
	"os"
)

func main() {
	page, err := pageOf("milter.yaml.example")
	if err == nil {
		err = os.WriteFile("docs/milter.yaml.md", []byte(page), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func pageOf(examplePath string) (string, error) {
	text, err := os.ReadFile(examplePath)
	if err != nil {
		return "", err
	}
	return page(string(text))
}
