package policy

// Problem is one mistake in the rules.
type Problem struct {
	Line, Column int
	Message      string
	Hint         string // what to do; may be ""
	Warning      bool   // the rules work all the same
}
