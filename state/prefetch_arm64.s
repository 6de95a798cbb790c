#include "textflag.h"

// func prefetch(slot, mark pointer)
TEXT ·prefetch(SB), NOSPLIT, $0-16
	MOVD slot+0(FP), R0
	MOVD mark+8(FP), R1
	PRFM (R0), PLDL1KEEP
	PRFM 64(R0), PLDL1KEEP
	PRFM (R1), PLDL1KEEP
	RET
