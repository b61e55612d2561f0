/* test_loop: timers, and starting and ending the loop. */
#include <criterion/criterion.h>
#include <stdatomic.h>

#include "clock.h"
#include "loop.h"

struct seen {
	struct loop *loop;
	atomic_int n;
	_Atomic int64_t at;
	atomic_bool on_loop;
};

static void see(void *ctx)
{
	struct seen *s = ctx;

	s->at = clock_mono_ns();
	s->on_loop = loop_is_current(s->loop);
	s->n++;
}

Test(loop, starts_and_ends_with_nothing_to_do)
{
	struct loop *a = loop_new(), *b = loop_new();

	cr_assert(!loop_is_current(a));
	loop_cancel_all(a);
	loop_free(a);
	loop_free(b);
	loop_free(NULL);
}

Test(loop, timer_fires_once_on_the_loop_after_its_delay)
{
	struct seen s = { .loop = loop_new() };
	int64_t start = clock_mono_ns();
	struct loop_timer *t = loop_timer_start(s.loop, 50, see, &s);

	clock_sleep_ms(250);
	cr_assert_eq(s.n, 1);
	cr_assert(s.on_loop);
	cr_assert_geq(s.at - start, 50 * 1000000);
	cr_assert_lt(s.at - start, 200 * 1000000);
	loop_timer_stop(t);
	loop_free(s.loop);
}

Test(loop, an_earlier_timer_wakes_a_loop_that_waits_for_a_later_one)
{
	struct seen late = { .loop = loop_new() }, soon = { .loop = late.loop };
	struct loop_timer *a = loop_timer_start(late.loop, 60000, see, &late);

	clock_sleep_ms(20);
	struct loop_timer *b = loop_timer_start(late.loop, 10, see, &soon);

	clock_sleep_ms(150);
	cr_assert_eq(soon.n, 1);
	cr_assert_eq(late.n, 0);
	loop_timer_stop(a);
	loop_timer_stop(b);
	loop_free(late.loop);
}

Test(loop, stopped_timer_never_fires)
{
	struct seen s = { .loop = loop_new() };
	struct loop_timer *t[50];

	for (int i = 0; i < 50; i++)
		t[i] = loop_timer_start(s.loop, 40 + i * 7 % 50, see, &s);
	for (int i = 0; i < 50; i++)
		loop_timer_stop(t[(i * 13) % 50]);
	clock_sleep_ms(150);
	cr_assert_eq(s.n, 0);
	loop_timer_stop(NULL);
	loop_free(s.loop);
}

static void nap(void *ctx)
{
	struct seen *s = ctx;

	s->on_loop = true;
	clock_sleep_ms(80);
	s->n++;
}

Test(loop, stop_waits_for_the_callback_that_runs)
{
	struct seen s = { .loop = loop_new() };
	struct loop_timer *t = loop_timer_start(s.loop, 0, nap, &s);

	while (!s.on_loop)
		clock_sleep_ms(1);
	loop_timer_stop(t);
	cr_assert_eq(s.n, 1);
	loop_free(s.loop);
}

struct order {
	int64_t last;
	bool sorted;
	atomic_int n;
};
struct one {
	struct order *o;
	int64_t delay;
};

static void in_order(void *ctx)
{
	struct one *one = ctx;

	if (one->delay < one->o->last)
		one->o->sorted = false;
	one->o->last = one->delay;
	one->o->n++;
}

Test(loop, timers_fire_in_the_order_of_their_times)
{
	struct loop *l = loop_new();
	struct order o = { .sorted = true };
	struct one one[100];
	struct loop_timer *t[100];

	for (int i = 0; i < 100; i++) {
		one[i] = (struct one){ &o, 50 + i * 37 % 100 * 3 };
		t[i] = loop_timer_start(l, one[i].delay, in_order, &one[i]);
	}
	for (int i = 0; i < 300 && o.n < 100; i++)
		clock_sleep_ms(5);
	cr_assert_eq(o.n, 100);
	cr_assert(o.sorted);
	for (int i = 0; i < 100; i++)
		loop_timer_stop(t[i]);
	loop_free(l);
}
