package state

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fullspate/spate/partition"
)

// TestMergeImages cuts images at random and makes one of the pieces again: it holds what the whole held.
func TestMergeImages(t *testing.T) {
	forKinds(t, func(t *testing.T, s Schema) {
		md := newModel(t, s, 11, 150, 10, 0)
		md.run(3000, 20)
		for _, codec := range []Codec{Raw, S2, Zstd} {
			whole, want := md.snapshotOf(Base, 7, codec, 0)
			cuts := []uint64{md.r.Uint64(), md.randomKey().H1, md.r.Uint64()}
			slices.Sort(cuts)
			ranges, err := partition.Full().Cut(cuts...)
			if err != nil {
				t.Fatal(err)
			}
			pieces, err := SplitImage(whole, ranges)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			info, err := MergeImages(&b, pieces...)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Verify(b.Bytes())
			if err != nil || got.Checksum != want.Checksum || got.Records != want.Records || got.Position != 7 || got.Range != partition.Full() {
				t.Fatalf("%v: merged %+v, %v; want %+v", codec, got, err, want)
			}
			if got.Blocks != info.Blocks || got.RawBytes != info.RawBytes {
				t.Errorf("%v: MergeImages says %+v, Verify %+v", codec, info, got)
			}
			sameRecords(t, whole, b.Bytes())
		}
	})
}

// sameRecords compares the records of two images, all and in parts of the hashes.
func sameRecords(t *testing.T, want, got []byte) {
	t.Helper()
	a := recordsOf(t, want, partition.Full())
	if b := recordsOf(t, got, partition.Full()); !slices.Equal(a, b) {
		t.Errorf("%d records, want %d", len(b), len(a))
	}
	var parts []string
	for _, r := range partition.Even(7) {
		parts = append(parts, recordsOf(t, got, r)...)
	}
	if !slices.Equal(a, parts) {
		t.Errorf("%d records in parts, want %d", len(parts), len(a))
	}
}

func recordsOf(t *testing.T, image []byte, r partition.Range) (list []string) {
	t.Helper()
	for rec, err := range Records(image, r) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%x %x %q %q %x %d", rec.Key.H1, rec.Key.H2, rec.Key.Key, rec.Key.Sub, rec.Value, rec.Bytes))
	}
	return list
}

func TestMergeImagesRefusals(t *testing.T) {
	md := newModel(t, BytesSchema("t", Uint64, None), 3, 50, 1, 0)
	md.run(100, 10)
	base, _ := md.snapshotOf(Base, 1, S2, 0)
	delta, _ := md.snapshotOf(Delta, 2, S2, 0)
	later, _ := md.snapshotOf(Base, 3, S2, 0)
	two := partition.Even(2)
	halves, err := SplitImage(base, two)
	if err != nil {
		t.Fatal(err)
	}
	laterHalves, err := SplitImage(later, two)
	if err != nil {
		t.Fatal(err)
	}
	other := newModel(t, BytesSchema("other", Uint64, None), 3, 50, 1, 0)
	foreign, _ := other.snapshotOf(Base, 1, S2, 0)
	foreignHalves, err := SplitImage(foreign, two)
	if err != nil {
		t.Fatal(err)
	}
	for want, images := range map[string][][]byte{
		"there are none":  nil,
		"must be a base":  {delta},
		"do not follow":   {halves[1], halves[0]},
		"the one before":  {halves[0], laterHalves[1]},
		"its schema":      {halves[0], foreignHalves[1]},
		"image 0":         {[]byte("nonsense")},
		"checksum of the": {halves[0], flipped(halves[1])},
	} {
		if _, err := MergeImages(new(bytes.Buffer), images...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	for _, err := range Records(delta, partition.Full()) {
		var damage *ImageError
		if !errors.As(err, &damage) {
			t.Errorf("records of a delta: %v", err)
		}
	}
}

// flipped is an image with a bit of its first block changed.
func flipped(image []byte) []byte {
	b := bytes.Clone(image)
	b[headerBytes+frameBytes] ^= 1
	return b
}
