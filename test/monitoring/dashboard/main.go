// Reads a dashboard by Grafana's own schema, strictly: a field that Grafana doesn't know is an error.
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	// Those in use: to compile all that Grafana has takes minutes.
	known := cog.NewRuntime()
	known.RegisterPanelcfgVariant(stat.VariantConfig())
	known.RegisterPanelcfgVariant(table.VariantConfig())
	known.RegisterPanelcfgVariant(timeseries.VariantConfig())
	known.RegisterDataqueryVariant(prometheus.VariantConfig())
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	var read dashboard.Dashboard
	// Without an error it returns an empty list of errors, which isn't nil.
	for _, err := range []error{read.UnmarshalJSONStrict(text), read.Validate()} {
		if err != nil && err.Error() != "" {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fmt.Printf("%d panels\n", len(read.Panels))
}
