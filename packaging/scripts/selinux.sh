# shellcheck shell=sh
# The types of the distribution's own policy for milters: smtpd_t and sendmail_t
# may talk to every milter domain over every milter's data type, so that no
# policy module is needed. Where SELinux is off or has no tools, nothing happens.
selinux_types='/usr/sbin/sealmilter dkim_milter_exec_t
/run/sealmilter(/.*)? dkim_milter_data_t
/var/spool/postfix/sealmilter(/.*)? dkim_milter_data_t
/var/lib/sealmilter(/.*)? dkim_milter_data_t'

selinux_works() {
	command -v semanage >/dev/null 2>&1 && command -v selinuxenabled >/dev/null 2>&1 && selinuxenabled
}

selinux_set() {
	semanage fcontext -a -t "$2" "$1" >/dev/null 2>&1 || semanage fcontext -m -t "$2" "$1" >/dev/null 2>&1
}

selinux_contexts() {
	selinux_works || return 0
	echo "$selinux_types" | while read -r path type; do
		# Policies up to EL9 keep /run under its old name.
		selinux_set "$path" "$type" || selinux_set "/var$path" "$type" ||
			say "no SELinux type $type for $path in this policy"
	done
	# These names are in folders of root's. What is below is the daemon's to label:
	# restorecon goes by names.
	restorecon /usr/sbin/sealmilter /run/sealmilter /var/lib/sealmilter >/dev/null 2>&1 || true
	as_daemon restorecon -R /var/lib/sealmilter >/dev/null 2>&1 || true
	if [ -d /var/spool/postfix/sealmilter ]; then
		restorecon /var/spool/postfix/sealmilter >/dev/null 2>&1 || true
	fi
}

selinux_forget() {
	selinux_works || return 0
	echo "$selinux_types" | while read -r path _; do
		semanage fcontext -d "$path" >/dev/null 2>&1 || semanage fcontext -d "/var$path" >/dev/null 2>&1 || true
	done
}
