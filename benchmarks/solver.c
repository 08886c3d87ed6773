/* The shortest solve, for the benchmarks: takes ansysedt's command line, leaves its batch log and a
   result, solves nothing. Not Ansys software.

   solver ... -jobid ID ... PROJECT
       Write PROJECT.batchinfo/STEM-ID.log and STEM.aedtresults/solved, in folders that are there. */

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *id = "", *project = argv[argc - 1], *name;
    char path[4096];
    FILE *log, *result;
    int stem;

    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], "-jobid"))
            id = argv[i + 1];
    name = strrchr(project, '/');
    name = name ? name + 1 : project;
    stem = (int)strcspn(name, ".");
    snprintf(path, sizeof path, "%.*s%.*s.aedtresults/solved", (int)(name - project), project, stem,
             name);
    result = fopen(path, "w");
    snprintf(path, sizeof path, "%s.batchinfo/%.*s-%s.log", project, stem, name, id);
    log = fopen(path, "w");
    if (!log || !result || fclose(result) != 0)
        return 1;
    fprintf(log, "Starting Batch Run: 09:00:00 AM  Nov 26, 2026\n"
                 "[info] Project:%s : Normal completion of simulation on server: localhost. (09:00:00 AM  Nov 26, 2026)\n"
                 "Stopping Batch Run: 09:00:00 AM  Nov 26, 2026\n", name);
    return fclose(log) != 0;
}
