package config

import (
	"io"

	"gopkg.in/yaml.v3"
)

// WriteYAML prints the effective configuration, defaults included. Read again
// it is the same Config.
func (c *Config) WriteYAML(w io.Writer) error {
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(c); err != nil {
		return err
	}
	return enc.Close()
}
