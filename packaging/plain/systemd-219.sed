# Makes of the plain unit one for systemd 219 (CentOS 7, Amazon Linux 2): without
# what it does not know, so that nothing stands there which has no effect, or
# another. test/packages/units_test.go has the table of which version knows what.
1i\
# For systemd 219 (CentOS 7, Amazon Linux 2), made of the plain unit: what 219 does\
# not know is left out.
/^#/d
/^StartLimitIntervalSec=/d
/^StateDirectory\(Mode\)\{0,1\}=/d
/^RuntimeDirectory=.*\//d
/^ExecStartPre=[-@:]*[+!]/d
/^\(AmbientCapabilities\|ReadWritePaths\|WatchdogSignal\)=/d
/^Protect\(Proc\|Clock\|Hostname\|KernelTunables\|KernelModules\|KernelLogs\|ControlGroups\)=/d
/^Restrict\(Namespaces\|Realtime\|SUIDSGID\)=/d
/^\(ProcSubset\|LockPersonality\|MemoryDenyWriteExecute\|RemoveIPC\)=/d
/^SystemCallFilter=.*@/d
/^SystemCallErrorNumber=/d
/^Memory\(High\|Max\)=/d
/^OOMPolicy=/d
# strict came with 232; full leaves /var, where the state and the sockets lie.
s/^ProtectSystem=strict$/ProtectSystem=full/
