package query

import (
	"testing"
	"unsafe"

	"github.com/fullspate/spate/wire"
)

func TestSizes(t *testing.T) {
	for name, got := range map[string][2]uintptr{
		"vehicle": {unsafe.Sizeof(vehicle{}), 16}, "segment": {unsafe.Sizeof(segment{}), 24}, "past": {unsafe.Sizeof(past{}), 64},
		"spot": {unsafe.Sizeof(spot{}), 8}, "stop": {unsafe.Sizeof(stop{}), 8}, "road": {unsafe.Sizeof(road{}), 2432},
		"account": {unsafe.Sizeof(account{}), 8}, "Report": {unsafe.Sizeof(Report{}), 16}, "Notice": {unsafe.Sizeof(Notice{}), 16},
		"Request": {unsafe.Sizeof(Request{}), 16}, "Charge": {unsafe.Sizeof(Charge{}), 16},
	} {
		if got[0] != got[1] {
			t.Errorf("%s has %d bytes, want %d", name, got[0], got[1])
		}
	}
	if _, err := wire.Fixed[vehicle](); err != nil {
		t.Error(err)
	}
}

func TestTally(t *testing.T) {
	var v tally
	if v.mean() != 0 || v.reports() != 0 {
		t.Errorf("an empty tally has %d reports of %d", v.reports(), v.mean())
	}
	sum := uint32(0)
	for n := uint32(1); n <= tallyMax; n++ {
		speed := uint8(100 - n*n%23)
		v = v.add(speed)
		sum += uint32(speed)
		if v.mean() != sum*speedUnit/n || uint32(v.reports()) != n {
			t.Errorf("%d reports: mean %d of %d, want %d", n, v.mean(), v.reports(), sum*speedUnit/n)
		}
	}
}
