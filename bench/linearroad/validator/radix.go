package validator

import "slices"

// item is a sort key and what it belongs to: an index into the input or the answers, or a value by itself.
type item struct {
	key uint64
	at  uint32
}

// radixMin is the length from which eight counting passes beat comparing: measured, between 150 and 300 items.
const radixMin = 256

// sortItems sorts items by key and keeps the order of equal keys. It borrows both slices and returns them in their new
// roles, the sorted one first; spare is grown when it is shorter than items. Bytes in which no two keys differ cost
// nothing, so a narrow key is sorted in few passes. Bits below lowest, a multiple of 8, are known to be in order already
// among items that are equal above them.
func sortItems(items, spare []item, lowest int) (sorted, rest []item) {
	if len(items) < radixMin {
		slices.SortStableFunc(items, func(a, b item) int {
			switch {
			case a.key < b.key:
				return -1
			case a.key > b.key:
				return 1
			}
			return 0
		})
		return items, spare
	}
	spare = slices.Grow(spare[:0], len(items))[:len(items)]
	var differing uint64
	for i := range items {
		differing |= items[i].key ^ items[0].key
	}
	for shift := lowest; shift < 64; shift += 8 {
		if differing>>shift&0xff == 0 {
			continue
		}
		var starts [256]uint32
		for i := range items {
			starts[items[i].key>>shift&0xff]++
		}
		total := uint32(0)
		for b := range starts {
			total, starts[b] = total+starts[b], total
		}
		for _, it := range items {
			b := it.key >> shift & 0xff
			spare[starts[b]] = it
			starts[b]++
		}
		items, spare = spare, items
	}
	return items, spare
}

// groupEnd returns the index behind the items from i on that have the key of item i, in sorted items.
func groupEnd(items []item, i int) int {
	k := items[i].key
	for i++; i < len(items) && items[i].key == k; i++ {
	}
	return i
}
