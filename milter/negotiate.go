package milter

import (
	"encoding/binary"
	"errors"
	"fmt"

	gomilter "github.com/emersion/go-milter"
)

// version is the protocol version that we speak; with an older MTA, its own.
const version = 6

const (
	// needActions: without them no field can be inserted or removed.
	needActions = gomilter.OptAddHeader | gomilter.OptChangeHeader
	wantActions = needActions | gomilter.OptQuarantine | gomilter.OptSetSymList
	// wantProtocol asks for no event that we do nothing with, and for no wait
	// for an answer where we decide nothing. Never SMFIP_NR_DATA: SMFIP_NODATA
	// spares the event itself. Never SMFIP_NR_MAIL: Postfix sends what it waits
	// for no answer to only with the next thing that it does wait for, all of it
	// behind the end of DATA. MAIL answered, we know that a transaction is under
	// way, which a restart must not cut, and SPF runs during the SMTP dialogue.
	wantProtocol = gomilter.OptNoUnknown | gomilter.OptNoData | gomilter.OptHeaderLeadingSpace | noReplies
	noReplies    = gomilter.OptNoConnReply | gomilter.OptNoHeloReply | gomilter.OptNoRcptReply |
		gomilter.OptNoHeaderReply | gomilter.OptNoEOHReply | gomilter.OptNoBodyReply
)

// symList names the macros that we want at each stage, so that the admin need
// not (SMFIF_SETSYMLIST). Sendmail ignores the list for the end of message.
var symList = []struct {
	stage  gomilter.Stage
	macros string
}{
	{gomilter.StageConnect, "j v _ {daemon_name} {client_addr} {client_name} {if_name}"},
	{gomilter.StageMailFrom, "i {auth_authen} {auth_type}"},
	{gomilter.StageRcptTo, "i"},
	{gomilter.StageData, "i"},
	{gomilter.StageEOM, "i"},
}

var errOffer = errors.New("the MTA's offer lacks what we need")

// terms is what one connection agreed on.
type terms struct {
	version  uint32
	actions  gomilter.OptAction
	protocol gomilter.OptProtocol
}

// agree answers the MTA's offer: never more than it offers, since an MTA may
// disconnect over flags that it does not know.
func agree(offer []byte) (terms, error) {
	if len(offer) < 12 {
		return terms{}, fmt.Errorf("%w: it has %d bytes of 12", errOffer, len(offer))
	}
	t := terms{
		version:  min(version, binary.BigEndian.Uint32(offer)),
		actions:  wantActions & gomilter.OptAction(binary.BigEndian.Uint32(offer[4:])),
		protocol: wantProtocol & gomilter.OptProtocol(binary.BigEndian.Uint32(offer[8:])),
	}
	if t.version < 2 {
		return t, fmt.Errorf("%w: protocol version %d", errOffer, t.version)
	}
	if t.actions&needActions != needActions {
		return t, fmt.Errorf("%w: adding and changing header fields (SMFIF_ADDHDRS, SMFIF_CHGHDRS)", errOffer)
	}
	return t, nil
}

func (t terms) answer(w *wire) error {
	w.begin(byte(gomilter.CodeOptNeg))
	w.u32(t.version)
	w.u32(uint32(t.actions))
	w.u32(uint32(t.protocol))
	if t.actions&gomilter.OptSetSymList != 0 {
		for _, s := range symList {
			w.u32(uint32(s.stage))
			w.str(s.macros)
		}
	}
	return w.flush()
}

func (t terms) leadingSpace() bool { return t.protocol&gomilter.OptHeaderLeadingSpace != 0 }
func (t terms) quarantine() bool   { return t.actions&gomilter.OptQuarantine != 0 }

// silent maps a command to the flag under which it must not be answered.
func (t terms) silent(code byte) bool {
	var flag gomilter.OptProtocol
	switch gomilter.Code(code) {
	case gomilter.CodeConn:
		flag = gomilter.OptNoConnReply
	case gomilter.CodeHelo:
		flag = gomilter.OptNoHeloReply
	case gomilter.CodeRcpt:
		flag = gomilter.OptNoRcptReply
	case gomilter.CodeHeader:
		flag = gomilter.OptNoHeaderReply
	case gomilter.CodeEOH:
		flag = gomilter.OptNoEOHReply
	case gomilter.CodeBody:
		flag = gomilter.OptNoBodyReply
	}
	return t.protocol&flag != 0
}
