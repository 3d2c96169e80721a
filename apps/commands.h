/* commands.h: the subcommands of tapir. Each gets its own name as argv[0] and returns the exit code: 2 when it was called in
 * the wrong way. */
#ifndef COMMANDS_H
#define COMMANDS_H

#define TAPIR_VERSION "0.1"

int serve_main(int argc, char **argv);
int ping_main(int argc, char **argv);
int nc_main(int argc, char **argv);
int lab_main(int argc, char **argv);
int stat_main(int argc, char **argv);
int ladder_main(int argc, char **argv);
int why_main(int argc, char **argv);
int extcap_main(int argc, char **argv);
int doctor_main(int argc, char **argv);

#endif
