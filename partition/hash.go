package partition

import "github.com/zeebo/xxh3"

// Constants of the mix: an odd increment (2^64 divided by the golden ratio),
// two odd multipliers of the splitmix64 finalizer (Steele, Lea and Flood,
// OOPSLA 2014; multipliers by Stafford), and the inverses of those modulo 2^64.
const (
	mixAdd   = 0x9e3779b97f4a7c15
	mixMul1  = 0xbf58476d1ce4e5b9
	mixMul2  = 0x94d049bb133111eb
	mixMul1i = 0x96de1b173f119089
	mixMul2i = 0x319642b2d24d8ec3
)

// HashUint64 returns the hash of an integer key: a bijection of the 64-bit
// integers, so that equal hashes mean equal keys. It is part of the format of
// frames and images and never changes.
func HashUint64(k uint64) uint64 {
	k += mixAdd
	k = (k ^ k>>30) * mixMul1
	k = (k ^ k>>27) * mixMul2
	return k ^ k>>31
}

// UnhashUint64 returns the key whose HashUint64 is h.
func UnhashUint64(h uint64) uint64 {
	h = (h ^ h>>31 ^ h>>62) * mixMul2i
	h = (h ^ h>>27 ^ h>>54) * mixMul1i
	return (h ^ h>>30 ^ h>>60) - mixAdd
}

// HashBytes returns the hash of a byte-string key: XXH3, 64 bits, seed 0. It is
// part of the format of frames and images and never changes. Keys with equal
// hashes need not be equal; whoever cares compares the bytes.
func HashBytes(b []byte) uint64 { return xxh3.Hash(b) }

// HashString is HashBytes of the string's bytes.
func HashString(s string) uint64 { return xxh3.HashString(s) }
