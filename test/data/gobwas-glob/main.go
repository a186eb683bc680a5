// Writes what Velero's glob library makes of some thousand patterns: go run . > table.tsv
package main

import (
	"bufio"
	"fmt"
	"math/big"
	"math/rand"
	"os"
	"strings"

	"github.com/gobwas/glob"
)

var names = strings.Split("|a|b|c|ab|ba|aa|aba|aab|abb|abc|cab|a-b|bab|aaa|abab|abcab|ab-ab|baab|abba|ababab|aabbaabb|-|!|{a|a}|a,b|a*b|"+
	"shop|shop-1|prod-db|prod-a-db|prod-abcde-db|stage-db|dev-eu-1|kube-system|pods", "|")

var chosen = strings.Split(`*|**|?|??|***|shop|shop*|*shop|*sho*|sh?p|s*p|shop-[0-9]|shop-[!0-9]|shop-[123]|[a-z0-9]|[a-z][0-9]|[|]|[]|[!]|[!a|[]a]|[a]|`+
	`[a-|[-a]|[a-]|[--a]|[b-a]|[a-a]|[\]]|[\-a]|{|}|{}|{,}|{a|{a,b|a}|{a,b}|{a,{b,c}}|{{a,b}{a,b}}|{a,b}{a,b}|{prod-*,stage}-db|{stage,prod-*}-db|`+
	`{prod-*,stage-*}db|{prod,stage}-db|{prod,stage}-*|*-{db,1}|{*,a}b|{a,*}b|{a*,*b}|{ab,ab}|{ab,a}b|{a,ab}b|a*a|ab*ba|a*b*a|*a*a*a*a*b|`+
	`?*|*?|?*?|*?*b|a?*|[!a]*|*[!a]|[!a][!a]|[!ab][!ab]|[!ab]*[!ab]|a[!b]?|\*|\**|\{a|\|a\|\\|a\,b|{a\,b,c}|,|a,b|!|!a|é|é*|[é]|[!é]|{é,ab}-*`+
	`|kube-*|{kube-*,shop}|{dev,prod}-{eu,us}-?|po?s|*s`, "|")

var pieces = []string{"a", "b", "a", "b", "c", "ab", "*", "*", "?", "{", "{", "}", "}", ",", ",", ",", "[ab]", "[!a]", "[!b]",
	"[a-b]", "[!a-b]", "**", "-", "\\", "[", "]", "!", "a*", "*b"}

// A bit a name, the first name the lowest; "!": the pattern doesn't compile; "": the library panics, and says nothing.
func row(pattern string) (answer string) {
	defer func() {
		if recover() != nil {
			answer = ""
		}
	}()
	compiled, err := glob.Compile(pattern)
	if err != nil {
		return "!"
	}
	bits := new(big.Int)
	for index, name := range names {
		if compiled.Match(name) {
			bits.SetBit(bits, index, 1)
		}
	}
	return bits.Text(16)
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprintln(out, strings.Join(names, "\t"))
	random := rand.New(rand.NewSource(1))
	patterns := append([]string{}, chosen...)
	for len(patterns) < 6000 {
		var pattern strings.Builder
		for parts := 2 + random.Intn(8); parts > 0; parts-- {
			pattern.WriteString(pieces[random.Intn(len(pieces))])
		}
		patterns = append(patterns, pattern.String())
	}
	seen := map[string]bool{}
	for _, pattern := range patterns {
		if answer := row(pattern); !seen[pattern] && answer != "" {
			seen[pattern] = true
			fmt.Fprintf(out, "%s\t%s\n", pattern, answer)
		}
	}
}
