//! What breaks while a run goes on, with real processes and real sockets: `cargo xtask test --faults`.
//!
//! Where the target counts, [`attack::conserved`] holds it against the summary: every request that left was seen, every failure has its
//! code, every iteration that began ended somehow. `docs/faults.md` tells users what each fault looks like.
//!
//! | fault | test |
//! |---|---|
//! | target killed, and restarted | `targets::a_server_that_is_killed_and_started_again`, `targets::a_target_that_is_gone_for_a_while`, `crash` |
//! | runtime killed | `crash::a_runtime_that_is_killed_has_written_down_what_the_target_saw`; the results file itself: `report` in `tests/it` |
//! | target accepts and never answers | `targets::a_target_that_accepts_and_never_answers_costs_timeouts` |
//! | target refuses | `targets::a_target_that_refuses_is_never_reached` |
//! | target resets | `targets::a_target_that_resets_before_it_reads`, `targets::a_target_that_resets_after_it_read_and_in_the_middle_of_its_answer` |
//! | target answers garbage | `targets::a_target_that_answers_garbage` |
//! | target answers a byte a second | `targets::a_target_that_answers_a_byte_a_second` |
//! | target closes kept connections | `targets::a_target_that_closes_kept_connections_as_it_likes` |
//! | target out of file descriptors | `targets::a_server_that_runs_out_of_file_descriptors` |
//! | runtime out of file descriptors | `machine::too_few_open_files_are_told_before_the_load_and_counted_in_it`, `machine::fewer_open_files_than_the_runtime_itself_needs` |
//! | disk full | `outputs::a_full_disk_under_the_export`, `outputs::standard_output_on_a_full_disk`, `outputs::an_export_longer_than_a_file_may_be`, `outputs::standard_output_longer_than_a_file_may_be`, `outputs::files_of_a_summary_of_its_own` |
//! | unwritable path | `outputs::paths_that_cannot_be_written_are_found_out_before_the_load`, `outputs::files_of_a_summary_of_its_own` |
//! | outputs closed, or not read | `outputs::standard_output_that_nobody_wants`, `outputs::standard_error_that_nobody_can_write`, `outputs::a_reader_that_takes_nothing_does_not_keep_a_signal_from_ending_the_run`, `outputs::lines_that_nobody_takes_do_not_keep_signals_from_ending_the_run` |
//! | clock jumps | `machine::a_clock_that_jumps_changes_no_figure` |
//! | machine asleep | `machine::a_machine_that_sleeps_for_two_seconds_accounts_for_them` |
//! | 1,000 VUs trapping at once, for ever | `modules::a_thousand_virtual_users_that_trap_for_ever_disturb_nobody` |
//! | module out of memory, stack, tables | `modules::memory_without_end_is_denied_and_explained`, `modules::a_recursion_without_end_is_contained`, `modules::tables_without_end_are_denied_and_explained` |
//! | a million series | `modules::a_million_series_take_no_more_memory_than_the_cap` |
//! | module that computes for ever | `modules::an_endless_loop_is_interrupted_and_the_others_go_on`, `modules::a_module_that_computes_for_ever_outside_of_the_load` |
//! | SIGINT, SIGTERM in setup | `signals::in_setup` |
//! | while VUs are made | `signals::while_virtual_users_are_made` |
//! | in the ramp, and under load | `signals::in_a_ramp`, `signals::under_a_steady_load_of_either_model`, `signals::twice_under_load` |
//! | in the graceful stop | `signals::in_a_graceful_stop` |
//! | in teardown | `signals::in_teardown` |
//! | in the summary | `signals::in_handle_summary`, `outputs::a_reader_that_takes_nothing_does_not_keep_a_signal_from_ending_the_run` |
//! | while the module computes | `signals::in_phases_that_compute_for_ever`, `signals::twice_while_iterations_compute_for_ever` |

#[path = "../it/support.rs"]
#[expect(dead_code, reason = "the other suite uses the rest")]
mod support;

mod attack;
mod crash;
mod machine;
mod modules;
mod outputs;
mod signals;
mod target;
mod targets;
