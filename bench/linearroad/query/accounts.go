package query

import (
	"time"

	"github.com/fullspate/spate/engine"
)

// account is what a vehicle has been charged so far, 8 bytes. Vehicles that were never charged have none.
type account struct {
	Balance int64
}

// assessment declares the toll assessment: it keeps the balances and answers balance requests. Charges and requests meet
// in order of time, so a balance holds every charge by a report that precedes the request in the input.
func assessment(g *engine.Graph, charges engine.Stream[Charge], requests engine.Stream[Request]) *engine.Op {
	return engine.Operator(g, AssessmentID, func(d *engine.Decl) {
		accounts := engine.Value[account](d, "accounts")
		answers := engine.Output[BalanceAnswer](d, "answers")
		answer := new(BalanceAnswer)
		engine.KeyedInput(d, charges, (*Charge).vehicle, func(c *engine.Ctx, charge *Charge) {
			a, _ := accounts.Upsert(c)
			a.Balance += charge.Amount
		})
		engine.KeyedInput(d, requests, (*Request).vehicle, func(c *engine.Ctx, r *Request) {
			*answer = BalanceAnswer{VID: r.VID, QID: r.QID, Time: r.Time}
			if a := accounts.Get(c); a != nil {
				answer.Balance = a.Balance
			}
			answers.Emit(c, answer)
		})
		engine.Ahead(d, 0, func(b engine.Batch[Charge]) {
			for i := range b.Len() {
				accounts.Touch(b.Hash(i))
			}
		})
	})
}

// balanceAccount declares the operator that gathers the balance answers and totals them, a minute at a time.
func balanceAccount(g *engine.Graph, answers engine.Stream[BalanceAnswer], origin time.Duration) *engine.Op {
	return engine.Keyed(g, AccountID, answers, (*BalanceAnswer).bucket, func(d *engine.Decl) engine.Handler[BalanceAnswer] {
		gathered := engine.Value[Total](d, "gathered")
		out := engine.Output[BalanceAnswer](d, "answers")
		totals := engine.Output[Total](d, "totals")
		minute := engine.Timer(d, "minute", func(c *engine.Ctx) {
			totals.Emit(c, gathered.Get(c))
			gathered.Delete(c)
		})
		return func(c *engine.Ctx, a *BalanceAnswer) {
			t, known := gathered.Upsert(c)
			if !known {
				minute.Set(c, origin+(c.Now()-origin).Truncate(time.Minute)+time.Minute)
			}
			t.Answers++
			t.Sum += a.Balance
			if a.Balance != 0 {
				t.NonZero++
			}
			out.Emit(c, a)
		}
	})
}
