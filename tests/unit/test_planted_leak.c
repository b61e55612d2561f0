/* test_planted_leak: leaks on purpose, to prove that a leak fails the run although Criterion itself does not mind. */
#include <criterion/criterion.h>

Test(planted_leak, is_noticed)
{
	volatile char *lost = malloc(42);

	cr_assert(lost != NULL);
	lost = NULL;
}
