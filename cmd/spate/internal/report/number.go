package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Number prints n to three significant digits and with a letter from ten thousand on: 1,234,567 is 1.23 M.
func Number(n float64) string {
	for _, u := range []struct {
		size, least float64 // least is where size begins to be used: what rounds to 1000 of the next smaller
		letter      string
	}{{1e12, 0.9995e12, "T"}, {1e9, 0.9995e9, "G"}, {1e6, 0.9995e6, "M"}, {1e3, 1e4, "k"}} {
		if math.Abs(n) >= u.least {
			return significant(n/u.size) + " " + u.letter
		}
	}
	return significant(n)
}

// significant prints three digits at least, all those of whole numbers, and no exponent unless n is tiny.
func significant(n float64) string {
	switch size := math.Abs(n); {
	case n == math.Trunc(n):
		return strconv.FormatFloat(n, 'f', 0, 64)
	case size >= 99.95:
		return strconv.FormatFloat(n, 'f', 0, 64)
	case size >= 9.995:
		return strconv.FormatFloat(n, 'f', 1, 64)
	case size >= 0.9995:
		return strconv.FormatFloat(n, 'f', 2, 64)
	}
	return strconv.FormatFloat(n, 'g', 3, 64)
}

// Plural prints how many of something there are, as in 1 loop and 2 loops.
func Plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return Count(n) + " " + thing + "s"
}

// Seconds prints a time with a unit: hundredths of seconds, below a tenth of one milliseconds to three digits.
func Seconds(s float64) string {
	if s < 0.1 {
		return significant(s*1e3) + " ms"
	}
	return strconv.FormatFloat(s, 'f', 2, 64) + " s"
}

// Bytes prints a number of bytes with a binary unit.
func Bytes(n int64) string {
	size := float64(n)
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if math.Abs(size) < 1024 {
			return significant(size) + " " + unit
		}
		size /= 1024
	}
	return significant(size) + " TiB"
}

// Count prints a whole number with thousands separated, as in 1,234,567.
func Count[N ~int | ~int64 | ~uint64](n N) string {
	digits := fmt.Sprintf("%d", n)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}
