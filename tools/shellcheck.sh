#!/bin/sh
# Shell scripts, the packages' among them, which dpkg and rpm run with any sh.
set -eu
cd "$(dirname "$0")/.."
if ! command -v shellcheck >/dev/null; then
	echo "NOT RUN: shellcheck, which is not installed"
	[ -z "${SEALMILTER_CI:-}" ]
	exit
fi
list=$(git ls-files | while read -r f; do
	case $f in packaging/scripts/*) continue ;; esac
	head -c 40 "$f" 2>/dev/null | head -n 1 | grep -qE '^#! ?/(usr/)?bin/(env )?(ba)?sh' && echo "$f" || :
done)
# shellcheck disable=SC2086 # a list of words
shellcheck -S warning $list
shellcheck -S warning -s sh packaging/scripts/*
