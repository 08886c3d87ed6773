/* The bare machine, for the benchmarks: what launching costs when nothing is remembered.

   bare launches DIRECTORY COUNT CONCURRENCY [PROGRAM ARGUMENT...]
       Start PROGRAM (/bin/true) COUNT times, CONCURRENCY at a time, each in a session of its own
       and with two output files in DIRECTORY. "{}" in an argument is the number, from 0.
       Prints seconds, own CPU seconds, the children's CPU seconds.

   bare singles DIRECTORY COUNT
       COUNT times: start one as above, wait for it, append 1 kB to a file and fsync it.
       Prints each time in seconds, one a line. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void fail(const char *what, int error)
{
    fprintf(stderr, "%s: %s\n", what, strerror(error));
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static double cpu(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

#define MOST 32

static char *program[MOST] = {"/bin/true", NULL};

static void fill(char *argv[], char filled[MOST][4096], long number)
{
    int i;

    for (i = 0; program[i]; i++) {
        char *place = strstr(program[i], "{}");
        argv[i] = program[i];
        if (place) {
            snprintf(filled[i], sizeof filled[i], "%.*s%ld%s", (int)(place - program[i]), program[i],
                     number, place + 2);
            argv[i] = filled[i];
        }
    }
    argv[i] = NULL;
}

static void launch(const char *directory, long number)
{
    static char filled[MOST][4096];
    char *argv[MOST];
    char out[4096], err[4096];
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    pid_t pid;
    int error;

    fill(argv, filled, number);
    snprintf(out, sizeof out, "%s/%ld.out", directory, number);
    snprintf(err, sizeof err, "%s/%ld.err", directory, number);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    posix_spawn_file_actions_addopen(&files, 2, err, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    error = posix_spawn(&pid, argv[0], &files, &attributes, argv, environ);
    if (error)
        fail(argv[0], error);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
}

static void reap(void)
{
    int status;
    if (wait(&status) < 0)
        fail("wait", errno);
    if (status != 0) {
        fprintf(stderr, "%s ended with status %d\n", program[0], status);
        exit(1);
    }
}

static void launches(const char *directory, long count, long concurrency)
{
    double begun = now();
    long running = 0;
    for (long i = 0; i < count; i++) {
        if (running == concurrency) {
            reap();
            running--;
        }
        launch(directory, i);
        running++;
    }
    while (running--)
        reap();
    printf("%.9f %.6f %.6f\n", now() - begun, cpu(RUSAGE_SELF), cpu(RUSAGE_CHILDREN));
}

static void singles(const char *directory, long count)
{
    static char block[1024];
    char path[4096];
    int file;

    snprintf(path, sizeof path, "%s/log", directory);
    file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (file < 0)
        fail(path, errno);
    for (long i = 0; i < count; i++) {
        double begun = now();
        launch(directory, i);
        reap();
        if (write(file, block, sizeof block) != (ssize_t)sizeof block || fsync(file))
            fail(path, errno);
        printf("%.9f\n", now() - begun);
    }
}

int main(int argc, char **argv)
{
    if (argc >= 5 && argc < 5 + MOST && !strcmp(argv[1], "launches")) {
        if (argc > 5)
            memcpy(program, argv + 5, (argc - 4) * sizeof *argv); /* and the NULL after them */
        launches(argv[2], atol(argv[3]), atol(argv[4]));
    }
    else if (argc == 4 && !strcmp(argv[1], "singles"))
        singles(argv[2], atol(argv[3]));
    else {
        fprintf(stderr, "usage: bare launches DIRECTORY COUNT CONCURRENCY | singles DIRECTORY COUNT\n");
        return 2;
    }
    return 0;
}
