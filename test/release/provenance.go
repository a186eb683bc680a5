// Reads an in-toto statement with the library of those who have defined it, and fails if it is none with SLSA's provenance.
package main

import (
	"fmt"
	"os"

	provenance "github.com/in-toto/attestation/go/predicates/provenance/v1"
	statement "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

func check(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var read statement.Statement
	if err := protojson.Unmarshal(text, &read); err != nil {
		return err
	}
	if err := read.Validate(); err != nil {
		return err
	}
	predicate, err := protojson.Marshal(read.GetPredicate())
	if err != nil {
		return err
	}
	var how provenance.Provenance
	if err := protojson.Unmarshal(predicate, &how); err != nil {
		return err
	}
	return how.Validate()
}

func main() {
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
