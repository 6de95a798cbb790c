#include "textflag.h"

// func prefetch(slot, mark pointer)
TEXT ·prefetch(SB), NOSPLIT, $0-16
	MOVQ slot+0(FP), AX
	MOVQ mark+8(FP), BX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	PREFETCHT0 (BX)
	RET
