// Package format holds the lines of Linear Road: what an input tuple and an answer are, and how they are written in files.
//
//	input   type,time,vid,spd,xway,lane,dir,seg,pos,qid,sinit,send,dow,tod,day      15 integers, unused fields −1
//	answer  0,vid,time,emit,lav,toll      1,time,emit,vid,seg      2,time,emit,resulttime,qid,balance      3,time,emit,qid,expenditure
//
// In memory both are structs without pointers or padding, which lie in frames as they are:
//
//	Tuple   | VID 4 | Pos 4 | QID 4 | Time 2 | Xway 2 | TOD 2 | Type | Speed | Lane | Dir | Seg | Day |                       24 bytes
//	Answer  | Emit 8 | Value 8 | VID 4 | QID 4 | Time 2 | ResultTime 2 | LAV 2 | Type | Seg | Xway 2 | Dir | Reserved 5 |     40 bytes
//
// What is read holds: 0 ≤ Time ≤ TimeMax, and Time never falls from one tuple of a Reader to the next; Seg = Pos / SegmentFeet ≤ SegmentMax
// in a position report; a genuine line that is read prints as it was, but for a negative speed, which counts as 0. A line that is
// not as it should be is a *FieldError that names file, line and field, and no bytes from outside panic.
//
// The package knows the shape of lines and the range of each field and no rule of the benchmark; operators, oracle and validator
// share it and nothing else. It does not open files and does not write them: callers append lines to buffers of their own.
// Functions may be called from any goroutine; a Reader, an AnswerReader or a Lines belongs to one at a time.
package format
