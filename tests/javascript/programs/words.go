// A program in Go, compiled by the test: it counts words, and JavaScript and a goroutine call each other.

package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"syscall/js"
)

type word struct {
	text  string
	count int
}

func count(text string) []word {
	found := map[string]int{}
	for _, text := range strings.Fields(text) {
		found[strings.ToLower(strings.Trim(text, ".,"))]++
	}
	words := make([]word, 0, len(found))
	for text, count := range found {
		words = append(words, word{text, count})
	}
	sort.Slice(words, func(a, b int) bool {
		return words[a].count > words[b].count || words[a].count == words[b].count && words[a].text < words[b].text
	})
	return words
}

func main() {
	text := strings.Repeat("Where two runs part, one of the two runs is wrong. ", 200)
	for _, word := range count(text)[:3] {
		fmt.Println(word.text, word.count)
	}
	// JavaScript calls a goroutine back, and gets what it returns.
	done := make(chan int)
	add := js.FuncOf(func(this js.Value, values []js.Value) any {
		go func() { done <- values[0].Int() + values[1].Int() }()
		return values[0].Int() * values[1].Int()
	})
	defer add.Release()
	js.Global().Get("setTimeout").Invoke(js.Global().Call("eval", "(add) => console.log(add(6, 7))"), 10, add)
	fmt.Fprintln(os.Stdout, <-done)
}
