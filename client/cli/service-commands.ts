/** `epochal up`, `worker`, `server`, `sign-in`, `images build` and `doctor`: what runs on this machine. Their parts are loaded when they are called. */
import type { Cli } from './cli.ts';
import type { Root } from './shared-options.ts';

export const serviceCommands = (root: Root, cli: Cli): Root =>
  root
    .command(
      'up',
      'Start Temporal, a worker and the web UI on this machine, until Ctrl-C',
      (command) =>
        command
          .option('demo', { type: 'boolean', default: false, describe: 'Train the demo once and exit' })
          .example('$0 up', 'the first start trains a small demo; the address of the web UI is printed')
          .epilogue(
            'A Temporal server that is configured (TEMPORAL_ADDRESS, temporal.toml) or running is used, else one is started. Ctrl-C ends everything that was started here; runs resume at the next start.',
          ),
      cli.action(async ({ demo }) => {
        const { main } = await import('../../launch/start.ts');
        return main(demo ? ['--demo'] : []);
      }),
    )
    .command(
      'worker',
      'Serve a pool from this machine until SIGTERM or Ctrl-C',
      (command) =>
        command
          .option('handover', {
            type: 'boolean',
            default: false,
            describe:
              'Have the worker of this data folder end and leave its trainers training, for the next one to take up',
          })
          .option('with-control', {
            type: 'boolean',
            default: false,
            describe: 'Serve the workflows of runs, too, as "epochal server" does',
          })
          .option('until-idle', {
            type: 'boolean',
            default: false,
            describe:
              'In a batch job: end once there has been nothing to do for a while, and obey the signals of Slurm',
          })
          .option('idle-seconds', {
            type: 'number',
            default: 60,
            describe: 'How long that while is',
            coerce: (seconds: number) => {
              if (!(seconds >= 1 && seconds <= 86_400))
                throw new Error('--idle-seconds must be a number from 1 to 86400');
              return seconds;
            },
          })
          .example('EPOCHAL_POOL=gpu EPOCHAL_STORE=/data/store $0 worker', 'settings are environment variables')
          .example('$0 worker --handover && $0 worker', 'another version, say, without a pause of the trainings')
          .epilogue(
            'The first Ctrl-C lets every trainer checkpoint and hands its run over; the second kills them at once. SIGUSR2 does as --handover. With --until-idle, SIGTERM and SIGUSR1 are a first Ctrl-C however often they come, and the exit code after SIGUSR1 is 75: there may be more to train.',
          ),
      cli.action(async ({ handover, withControl, untilIdle, idleSeconds }) => {
        if (handover) {
          const { handOver } = await import('../../worker/main.ts');
          return handOver();
        }
        const { runWorker } = await import('../../launch/services.ts');
        return runWorker({ withControl, ...(untilIdle ? { idleSeconds } : {}) });
      }),
    )
    .command(
      'server',
      'Serve the HTTP API, the web UI and the workflows of runs until SIGTERM or Ctrl-C',
      (command) =>
        command
          .example('$0 server', 'on http://127.0.0.1:8266, for this machine only')
          .example('EPOCHAL_SERVER_ADDRESS=0.0.0.0 $0 server', 'for a network')
          .epilogue(
            'The address is printed on stdout. It asks for a token, which is made in the data folder unless EPOCHAL_TOKEN has one. Settings are environment variables: see docs/server.md.',
          ),
      cli.action(async () => {
        const { runServer } = await import('../../launch/services.ts');
        return runServer();
      }),
    )
    .command(
      'sign-in',
      "Print an address that signs a browser in to this machine's server, once",
      (command) => command.example('$0 sign-in', 'for a second browser, or when the printed address was used'),
      cli.action(async () => {
        const { runSignIn } = await import('../../server/main.ts');
        return runSignIn();
      }),
    )
    .command('images', 'Images of trainers, for workers that run them in containers', (images) =>
      images
        .command(
          'build [trainers..]',
          'Make the images in which a worker with EPOCHAL_LAUNCHER=container runs trainers',
          (command) =>
            command
              .positional('trainers', {
                type: 'string',
                array: true,
                default: [],
                describe: 'Names; all, where none is given',
              })
              .option('base', {
                type: 'string',
                default: 'python:3.12-slim-bookworm',
                describe: 'Image with Python and its venv that they are made from',
              })
              .option('engine', {
                choices: ['docker', 'podman'] as const,
                default: 'docker' as const,
                describe: 'What makes them',
              })
              .option('tag', {
                type: 'string',
                default: 'epochal-trainer-{trainer}',
                describe: 'What they are called; {trainer} stands for the name of the trainer',
              })
              .example(
                '$0 images build digits pytorch',
                'on each host of the pool, or push them to a registry of yours',
              ),
          cli.action(async ({ trainers, base, engine, tag }) => {
            const { buildImages } = await import('../../launch/images.ts');
            return buildImages({ trainers, base, engine, tag });
          }),
        )
        .demandCommand(1, 'images needs a command: build'),
    )
    .command(
      'doctor',
      'Report what is installed, what is missing, and how to get it',
      (command) => command.example('$0 doctor', 'before the first run'),
      cli.action(async ({ json }) => {
        const { runDoctor } = await import('../../launch/doctor.ts');
        return runDoctor(json);
      }),
    );
