// Work of many kinds, for ever.
package main

import (
	"fmt"
	"sort"
	"strings"
)

//go:noinline
func sorted(seed int) int {
	values := make([]int, 500)
	for i := range values {
		values[i] = i * seed % 1009
	}
	sort.Slice(values, func(a, b int) bool { return values[a] < values[b] })
	return values[250]
}

//go:noinline
func texts(seed int) int {
	known := map[string]int{}
	for i := 0; i < 200; i++ {
		known[fmt.Sprintf("%x-%d", i, seed)] = i
	}
	return len(strings.Repeat("ab", len(known)))
}

//go:noinline
func recursive(depth int) int {
	if depth == 0 {
		return texts(depth)
	}
	return recursive(depth-1) + sorted(depth)
}

func main() {
	results := make(chan int)
	for {
		go func() { results <- recursive(20) + texts(3) }()
		<-results
	}
}
