/* test_sandbox: attempts to get out, as an action of root's server and of an ordinary user's. */
#include "running.h"

#include <arpa/inet.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

TestSuite(sandbox, .timeout = 60);

#define BOTH(name)                                                                                 \
	static void name(struct running *t);                                                       \
	Test(sandbox, name)                                                                        \
	{                                                                                          \
		struct running t;                                                                  \
		running_init(&t, RUNNER_NAMESPACE);                                                \
		name(&t);                                                                          \
		running_release(&t);                                                               \
	}                                                                                          \
	Test(sandbox, name##_as_user)                                                              \
	{                                                                                          \
		struct running t;                                                                  \
		become_user();                                                                     \
		running_init(&t, RUNNER_NAMESPACE);                                                \
		name(&t);                                                                          \
		running_release(&t);                                                               \
	}                                                                                          \
	static void name(struct running *t)

BOTH(the_root_is_writable_and_has_a_fixed_path)
{
	RX_CLEANUP(xfreep) char *path = path_join(t->root, "made");
	struct stat st;

	cr_expect_str_eq(
		running_sh(t, "pwd; echo x >made; chmod 600 made; rm -f made; mkdir made; id -u; "
			      "hostname; id -un; date +%Z; ls -A .."),
		"/remex/root\n65534\nremex\nnobody\nUTC\nroot\n");
	cr_expect_str_eq(rx_buf_str(&t->err_out), "");
	cr_expect_eq(stat(path, &st), 0);
}

BOTH(shows_only_what_an_action_needs)
{
	cr_expect_str_eq(
		running_sh(t, "cd /; for f in *; do [ -L $f ] || echo $f; done | tr '\\n' ' '"),
		"dev etc proc remex tmp usr var ");
	cr_expect_str_eq(
		running_sh(t, "ls -A /home /root /run /sys /work /opt /tmp /var/tmp 2>/dev/null"
			      " | grep -v '^$' | grep -v :; ls /proc | grep -c '^[0-9]'"),
		"4\n"); /* the launcher, the shell, ls, grep */
}

BOTH(nothing_else_is_writable)
{
	cr_expect_str_eq(
		running_sh(t, "for d in / /usr /usr/bin /etc /remex /proc /proc/sys /dev /usr/lib "
			      "/bin; do "
			      "(: >$d/remex-test) 2>/dev/null && echo $d; done; "
			      "find / -xdev -path /remex/root -prune -o -writable ! -type l ! "
			      "-path '/proc/*'"
			      " ! -path /tmp -print 2>/dev/null | sort; "
			      "find /proc -maxdepth 3 -writable -type f ! -path '/proc/[0-9]*' "
			      "! -path '/proc/self/*' ! -path '/proc/thread-self/*' ! -path "
			      "'/proc/pressure/*' 2>/dev/null"),
		"");
	cr_expect_eq(access("/usr/remex-test", F_OK), -1);
}

BOTH(kernel_settings_are_out_of_reach)
{
	cr_expect_str_eq(running_sh(t, "for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger "
				       "/proc/sys/kernel/hostname /proc/sys/vm/drop_caches "
				       "/proc/sys/kernel/modprobe /proc/sys/fs/file-max; do"
				       " (: >>$f) 2>/dev/null && echo $f; done"),
			 "");
}

BOTH(has_no_capabilities_and_gets_none)
{
	cr_expect_str_eq(running_sh(t, "grep -c '^Cap...:\t0000000000000000$' /proc/self/status; "
				       "grep NoNewPrivs /proc/self/status"),
			 "5\nNoNewPrivs:\t1\n");
	cr_expect_str_eq(
		running_sh(t,
			   "su -c id 2>/dev/null; mount -t tmpfs none /tmp 2>/dev/null && echo m;"
			   " mount -o remount,rw /usr 2>/dev/null && echo r;"
			   " mount -o remount,bind,rw /usr 2>/dev/null && echo r;"
			   " umount /proc 2>/dev/null && echo u;"
			   " chroot / true 2>/dev/null && echo c;"
			   " mknod disk b 8 0 2>/dev/null && echo d;"
			   " mknod null c 1 3 2>/dev/null && echo d;"
			   " chown 0:0 . 2>/dev/null && echo o;"
			   " setpriv --reuid 0 true 2>/dev/null && echo s; true"),
		"");
}

/* A user namespace of the action's own gives it no more than it has. */
BOTH(a_nested_namespace_does_not_help)
{
	cr_expect_str_eq(
		running_sh(
			t,
			"unshare -Urm sh -c 'mount -o remount,bind,rw /usr && : >/usr/remex-test "
			"&& echo usr; umount /usr && echo umount; "
			"echo x >/proc/sys/kernel/core_pattern && echo core; "
			"mknod n b 8 0 && echo dev' 2>/dev/null; true"),
		"");
	cr_expect_eq(access("/usr/remex-test", F_OK), -1);
}

BOTH(reads_nobody_elses_files)
{
	RX_CLEANUP(xfreep) char *secret = path_join(t->dir, "secret");
	char script[512];
	struct rx_err err = { 0 };

	cr_assert(file_write(AT_FDCWD, secret, RX_VIEW("secret\n"), 0666, &err));
	(void)snprintf(
		script, sizeof(script),
		"cat %s /etc/shadow /etc/hostname /etc/machine-id /proc/1/environ /proc/1/root%s "
		"../../..%s 2>/dev/null | tr '\\0' ' '; ls /proc/1/fd /proc/1/root/ 2>/dev/null;"
		" ln -s %s link; cat link 2>/dev/null; ln %s hard 2>/dev/null && echo hard; true",
		secret, secret, secret, secret, secret);
	cr_expect_str_eq(running_sh(t, script), "");
}

BOTH(reaches_no_process_outside)
{
	char script[300];
	pid_t victim = fork();

	if (victim == 0)
		for (;;)
			(void)pause();
	(void)snprintf(
		script, sizeof(script),
		"kill -0 %d 2>/dev/null && echo seen; kill -KILL %d 2>/dev/null && echo killed; "
		"kill -KILL -1; echo survived",
		(int)victim, (int)victim);
	(void)running_sh(t, script);
	cr_expect(!strstr(rx_buf_str(&t->out), "seen") && !strstr(rx_buf_str(&t->out), "killed"));
	cr_expect_eq(kill(victim, 0), 0);
	cr_expect_eq(kill(victim, SIGKILL), 0);
}

BOTH(the_launcher_cannot_be_touched)
{
	cr_expect_str_eq(
		running_sh(
			t,
			"kill -STOP 1; kill -KILL 1; kill -TERM 1; cat /proc/1/mem "
			"2>/dev/null; cat /proc/1/maps 2>/dev/null; (: >>/proc/1/mem) 2>/dev/null;"
			"kill -STOP 1; echo alive"),
		"alive\n");
	cr_expect_eq(t->result.exit_code, 0);
}

BOTH(reaches_no_listener_of_the_host)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	char script[400];

	cr_assert_eq(bind(s, (struct sockaddr *)&a, len), 0);
	cr_assert_eq(listen(s, 1), 0);
	cr_assert_eq(getsockname(s, (struct sockaddr *)&a, &len), 0);
	/* bash knows /dev/tcp; its answer shows that the attempt was made */
	(void)snprintf(script, sizeof(script),
		       "bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d' 2>&1 | grep -o 'Connection "
		       "refused' | head -1;"
		       "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '",
		       ntohs(a.sin_port));
	cr_expect_str_eq(running_sh(t, script), "Connection refused\nlo\n");
	(void)close(s);
}

/* Only its own copy is changed, and gone with it. */
BOTH(actions_share_nothing)
{
	(void)running_sh(t, "echo x >/tmp/left; echo x >/dev/shm/left; echo x >/var/tmp/left2");
	cr_expect_eq(t->result.exit_code, 0);
	cr_expect_str_eq(running_sh(t, "ls -A /tmp /var/tmp /dev/shm | grep -v : | tr -d '\\n'"),
			 "");
}

/* The root may hold anything; links in it are resolved inside. */
BOTH(links_in_the_root_stay_inside)
{
	RX_CLEANUP(xfreep) char *sub = path_join(t->root, "sub");
	const struct action_pair env[] = { { "PATH", "/usr/bin:/bin" } };
	struct runner_job job = { .argv = (const char *[]){ "/bin/sh", "-c", "pwd -P; ls -d root",
							    NULL },
				  .env = env,
				  .n_env = 1,
				  .cwd = "sub" };
	struct rx_err err = { 0 };

	cr_assert_eq(symlink("/", sub), 0);
	cr_assert(running_job(t, &job, &err));
	cr_expect_str_eq(rx_buf_str(&t->out), "/\n"); /* its own "/" */
}

BOTH(hostile_names_do_not_reach_bubblewrap)
{
	const struct action_pair env[] = { { "LD_PRELOAD", "/remex/root/evil.so" },
					   { "PATH", "/usr/bin" },
					   { "BWRAP", "--bind" } };
	struct runner_job job = { .argv = (const char *[]){ "--bind", "/", "/", NULL },
				  .env = env,
				  .n_env = 3 };
	struct rx_err err = { 0 };

	cr_assert(running_job(t, &job, &err), "%s", rx_err_text(&err));
	cr_expect_eq(t->result.exit_code, 127);
	cr_expect_str_eq(rx_buf_str(&t->err_out), "remex: --bind: command not found\n");
}

BOTH(compilers_work)
{
	if (access("/usr/bin/cc", X_OK) != 0)
		cr_skip_test("no compiler here");
	cr_expect_str_eq(
		running_sh(t,
			   "echo '#include <stdio.h>\nint main(void){puts(\"hello\");return 0;}' "
			   ">a.c && cc a.c -o a && ./a"),
		"hello\n", "%s", rx_buf_str(&t->err_out));
}

/* Root of a container, as a rule. Its actions are root to the kernel, so settings must be covered.
 */
Test(sandbox, root_without_mount_rights_has_a_sandbox_too)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2];
	struct running t;
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0)
		cr_skip_test("only root can give rights away");
	cr_assert_eq(prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0), 0);
	cr_assert_eq(syscall(SYS_capget, &h, caps), 0);
	caps[0].effective &= ~(1u << CAP_SYS_ADMIN);
	caps[0].permitted &= ~(1u << CAP_SYS_ADMIN);
	caps[0].inheritable = caps[1].inheritable = 0;
	cr_assert_eq(syscall(SYS_capset, &h, caps), 0);
	running_init(&t, RUNNER_AUTO);
	if (runner_sandbox_kind(t.runner) == RUNNER_NAMESPACE) {
		cr_expect_not(runner_owner(t.runner, &uid, &gid));
		kernel_settings_are_out_of_reach(&t);
		nothing_else_is_writable(&t);
		has_no_capabilities_and_gets_none(&t);
	}
	running_release(&t);
}
