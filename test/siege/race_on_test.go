//go:build race

package siege

const raceEnabled = true
