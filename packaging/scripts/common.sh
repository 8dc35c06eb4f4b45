# shellcheck shell=sh
# What deb and rpm have in common; packaging/build.sh puts it in front of each
# script. Nothing in here may fail an installation.

say() { echo "sealmilter: $*" >&2; }

booted() { [ -d /run/systemd/system ]; }

# Below /var/lib/sealmilter each name may be a link that the daemon's user has put
# there, so that root does nothing there but as that user. That user may be somebody
# else by now: nothing of root's is lent (session and terminal, environment, open
# files, time, disk), and nothing of theirs reaches the terminal as it is.
as_daemon() {
	said=$(mktemp) || return 1
	code=0
	(
		cd / && ulimit -f 2048
		exec timeout -k 5 60 setsid -w env -i PATH="$PATH" LANG=C runuser -u sealmilter -- "$@"
	) </dev/null >"$said" 2>&1 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&- || code=$?
	head -c 65536 "$said" | LC_ALL=C tr -c '\n -~' '?' >&2
	rm -f "$said"
	return $code
}

make_user() {
	if command -v systemd-sysusers >/dev/null 2>&1; then
		systemd-sysusers sealmilter.conf || true
	fi
	if ! getent passwd sealmilter >/dev/null; then
		getent group sealmilter >/dev/null || groupadd --system sealmilter || true
		useradd --system --gid sealmilter --home-dir /nonexistent --no-create-home \
			--shell /usr/sbin/nologin sealmilter || say "cannot make the user sealmilter"
	fi
	forget_home
	take_run_back
	if command -v systemd-tmpfiles >/dev/null 2>&1; then
		systemd-tmpfiles --create sealmilter.conf || true
	fi
	install -d -o sealmilter -g sealmilter -m 0700 /var/lib/sealmilter || true
	as_daemon mkdir -p -m 0700 /var/lib/sealmilter/keys || true
}

# Earlier versions made the state folder the user's home: a .forward that the daemon
# writes there is run by the MTA, outside of the sandbox. usermod changes no user who
# has processes, and that is the daemon; vipw does, under the same locks.
forget_home() {
	old='^sealmilter:[^:]*:[0-9]\{1,3\}:[^:]*:[^:]*:/var/lib/sealmilter:'
	grep -q "$old" /etc/passwd || return 0
	edit='sed -i /^sealmilter:/s,:/var/lib/sealmilter:,:/nonexistent:,'
	usermod -d /nonexistent sealmilter >/dev/null 2>&1 ||
		VISUAL=$edit EDITOR=$edit vipw -q >/dev/null 2>&1 </dev/null || true
	if grep -q "$old" /etc/passwd; then
		say "the home of the user sealmilter is /var/lib/sealmilter, where the daemon writes: a .forward there is run by the MTA."
		say "Stop sealmilter.socket and sealmilter.service, then: usermod -d /nonexistent sealmilter"
	fi
}

# In earlier versions /run/sealmilter was the daemon's. Its sockets stay, they are in use.
take_run_back() {
	[ -d /run/sealmilter ] && [ ! -L /run/sealmilter ] && [ "$(stat -c %u /run/sealmilter)" != 0 ] || return 0
	chown -h root:sealmilter /run/sealmilter && chmod 2755 /run/sealmilter &&
		find /run/sealmilter -mindepth 1 -maxdepth 1 ! -type s -exec rm -rf {} + || true
}

dropin=/etc/systemd/system/sealmilter.socket.d/postfix.conf

# Beside Postfix the socket lies in its queue directory, from the first moment:
# a socket that is there before anybody asks for it costs no restart later. For a
# Postfix that comes later `setup postfix` does it, on every distribution alike, and
# at a time when somebody looks: no trigger restarts a socket behind an admin's back.
postfix_socket() {
	getent group postfix >/dev/null && [ -d /var/spool/postfix ] || return 0
	[ ! -e "$dropin" ] || return 0
	queue=/var/spool/postfix/sealmilter
	if [ -L $queue ] || { [ -e $queue ] && [ "$(stat -c %u $queue)" != 0 ]; }; then
		say "$queue is no folder of root's: no socket is opened there, since its owner could hand Postfix another one."
		say "When no daemon has its socket there any more: install -d -o root -g postfix -m 2750 $queue"
		say "After that: sealmilter setup postfix"
		return 0
	fi
	install -D -m 0644 /usr/share/sealmilter/postfix.conf "$dropin" || say "cannot write $dropin"
}

# In earlier versions the drop-in changed the group of the socket by its name.
mend_dropin() {
	[ -f "$dropin" ] || return 0
	sed -i 's|^ExecStartPost=-/bin/chgrp \([^ ]*\) \(/.*\)/[^/]*$|ExecStartPre=-/usr/bin/install -d -o root -g \1 -m 2750 \2|
		/^# Not SocketGroup=: when Postfix/,/^# with it the socket/d' "$dropin" || true
}

# The new program judges the configuration, as the user that will run it.
config_is_good() {
	as_daemon /usr/sbin/sealmilter check --quiet
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
	# Not postconf -P for master.cf: it came with Postfix 2.11.
	if { postconf -h smtpd_milters non_smtpd_milters; grep -hs '^[^#]*_milters' /etc/postfix/master.cf; } 2>/dev/null | grep -q sealmilter; then
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
	# The other one is of a set-up that was killed.
	rm -f /var/spool/postfix/sealmilter-setup/setup-witness.sock
	rmdir /var/spool/postfix/sealmilter /var/spool/postfix/sealmilter-setup 2>/dev/null || true
}
