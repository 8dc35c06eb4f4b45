package telemetry

import "strings"

// Snapshot returns every counter and gauge of ours that is not zero, by name
// and labels as Prometheus writes them: messages_total{inbound,accept}.
func (m *Metrics) Snapshot() map[string]float64 {
	out := map[string]float64{}
	if m == nil {
		return out
	}
	families, err := m.registry.Gather()
	if err != nil && len(families) == 0 {
		return out
	}
	for _, f := range families {
		name, ours := strings.CutPrefix(f.GetName(), namespace+"_")
		if !ours || name == "build_info" {
			continue
		}
		for _, metric := range f.GetMetric() {
			var values []string
			for _, l := range metric.GetLabel() {
				values = append(values, l.GetValue())
			}
			v := metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
			if v != 0 {
				out[name+"{"+strings.Join(values, ",")+"}"] = v
			}
		}
	}
	return out
}
