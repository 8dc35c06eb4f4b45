package canon

// Bodies hashes one body for several signatures: each distinct combination of
// canonicalization and limit once. The zero value is ready to use.
type Bodies struct {
	list []*Body
}

// Add returns the hasher for c and limit (negative: all), a new one or one
// that an earlier call made. All must be added before the first Write. How
// many there may be is for the caller to bound.
func (s *Bodies) Add(c Canonicalization, limit int64) *Body {
	b := NewBody(c, limit)
	for _, have := range s.list {
		if (have.canon == Relaxed) == (c == Relaxed) && have.limit == b.limit {
			return have
		}
	}
	s.list = append(s.list, b)
	return b
}

// Len is the number of distinct hashers.
func (s *Bodies) Len() int { return len(s.list) }

// Write feeds the next chunk of the body to each hasher; it never fails.
func (s *Bodies) Write(p []byte) (int, error) {
	for _, b := range s.list {
		b.Write(p)
	}
	return len(p), nil
}
