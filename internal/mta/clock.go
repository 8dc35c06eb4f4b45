package mta

import "syscall"

// staUnsync is STA_UNSYNC of adjtimex(2): nothing has set the clock for a while.
const staUnsync = 0x40

// Clock asks the kernel whether something keeps its clock right. It changes nothing.
func Clock() (synchronised, known bool) {
	var t syscall.Timex
	if _, err := syscall.Adjtimex(&t); err != nil {
		return false, false
	}
	return t.Status&staUnsync == 0, true
}
