/* judge_helper DIR CWD UID PROGRAM ARG0 ARG...: starts PROGRAM with DIR as its
   root, in CWD, as user UID, with stderr joined to stdout and the environment
   as it is. Five seconds later it is killed, whatever it waits for. Linked
   statically, so that neither a loader nor LD_* variables touch it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fail(const char *what)
{
    dprintf(1, "judge: %s: %s\n", what, strerror(errno));
    _exit(125);
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        fail(path);
    close(fd);
}

/* Somebody who is not root becomes root of a user namespace of one user. */
static void become_root(void)
{
    char map[64];
    snprintf(map, sizeof map, "0 %d 1", (int)geteuid());
    if (unshare(CLONE_NEWUSER))
        fail("unshare");
    put("/proc/self/setgroups", "deny");
    put("/proc/self/uid_map", map);
}

int main(int argc, char **argv, char **envp)
{
    if (argc < 6)
        return 125;
    int uid = atoi(argv[3]);
    if (geteuid() != 0)
        become_root();
    dup2(1, 2);
    if (chroot(argv[1]) || chdir(argv[2]))
        fail("chroot");
    if (uid != 0 && (setgroups(0, 0) || setgid(uid) || setuid(uid)))
        fail("setuid");
    alarm(5);
    execve(argv[4], argv + 5, envp);
    dprintf(1, "exec: %s\n", strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}
