# shellcheck shell=sh
# What deb and rpm have in common; packaging/build.sh puts it in front of each
# script. Nothing in here may fail an installation.

say() { echo "sealmilter: $*" >&2; }

booted() { [ -d /run/systemd/system ]; }

make_user() {
	if command -v systemd-sysusers >/dev/null 2>&1; then
		systemd-sysusers sealmilter.conf || true
	fi
	if ! getent passwd sealmilter >/dev/null; then
		getent group sealmilter >/dev/null || groupadd --system sealmilter || true
		useradd --system --gid sealmilter --home-dir /var/lib/sealmilter --no-create-home \
			--shell /usr/sbin/nologin sealmilter || say "cannot make the user sealmilter"
	fi
	if command -v systemd-tmpfiles >/dev/null 2>&1; then
		systemd-tmpfiles --create sealmilter.conf || true
	fi
	install -d -o sealmilter -g sealmilter -m 0700 /var/lib/sealmilter /var/lib/sealmilter/keys || true
}

# Beside Postfix the socket lies in its queue directory, from the first moment:
# a socket that is there before anybody asks for it costs no restart later. For a
# Postfix that comes later `setup postfix` does it, on every distribution alike, and
# at a time when somebody looks: no trigger restarts a socket behind an admin's back.
postfix_socket() {
	getent group postfix >/dev/null && [ -d /var/spool/postfix ] || return 0
	dropin=/etc/systemd/system/sealmilter.socket.d/postfix.conf
	[ ! -e "$dropin" ] || return 0
	install -D -m 0644 /usr/share/sealmilter/postfix.conf "$dropin" || say "cannot write $dropin"
}

# The new program judges the configuration, as the user that will run it.
config_is_good() {
	runuser -u sealmilter -- /usr/sbin/sealmilter check --quiet >&2
}

# After an upgrade: the running daemon is replaced only if the new one can work
# with this configuration. $1 restarts it.
replace_running() {
	booted && systemctl --quiet is-active sealmilter.service || return 0
	if config_is_good; then
		$1
	else
		say "the new version does not accept the configuration (see above)."
		say "The OLD PROCESS GOES ON SERVING MAIL. Correct the configuration, then: systemctl restart sealmilter"
	fi
}

warn_if_wired() {
	if { postconf -h smtpd_milters non_smtpd_milters; postconf -P; } 2>/dev/null | grep -q sealmilter; then
		say "Postfix still asks sealmilter, and answers mail with 451 until that is taken out."
		say "Before a removal: sealmilter setup postfix --undo"
		say "After it: take sealmilter out of smtpd_milters and non_smtpd_milters (main.cf, master.cf), then: postfix reload"
	fi
	if grep -qs 'Xsealmilter\|sealmilter/milter.sock' /etc/mail/sendmail.cf; then
		say "Sendmail still asks sealmilter, and answers mail with 451 until that is taken out."
		say "Before a removal: sealmilter setup sendmail --undo"
		say "After it: take sealmilter's lines out of sendmail.mc, build sendmail.cf and restart Sendmail"
	fi
}

# Without the package nobody answers on these.
remove_sockets() {
	rm -rf /run/sealmilter
	rm -f /var/spool/postfix/sealmilter/milter.sock
	rmdir /var/spool/postfix/sealmilter 2>/dev/null || true
}
