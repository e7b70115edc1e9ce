;; A scenario whose functions call a module of which nothing is known. `hostile.rs` puts that module in the first one's place.
(component
  (core module $hostile (func (export "run")))
  (core module $shim
    (import "hostile" "run" (func $hostile))
    (memory (export "memory") 1)
    (data (i32.const 0) "{\"functions\":[{\"name\":\"default\"}]}")
    ;; Pointer and length of the text above.
    (data (i32.const 64) "\00\00\00\00\22\00\00\00")
    ;; The host writes one text into the module at most, and it is never looked at.
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func (export "describe") (result i32) call $hostile i32.const 64)
    ;; Zeroes are a result that is fine and has nothing in it.
    (func $fine (result i32) call $hostile i32.const 128)
    (export "setup" (func $fine))
    (export "teardown" (func $fine))
    (func (export "run") (param i32) (result i32) call $fine)
    (func (export "handle-summary") (param i32 i32) (result i32) call $fine))
  (core instance $h (instantiate $hostile))
  (core instance $s (instantiate $shim (with "hostile" (instance $h))))
  (alias core export $s "memory" (core memory $memory))
  (alias core export $s "realloc" (core func $realloc))
  (func $describe (result string) (canon lift (core func $s "describe") (memory $memory)))
  (func $setup (result (result (option (list u8)) (error string))) (canon lift (core func $s "setup") (memory $memory)))
  (func $run (param "function" u32) (result (result (error string))) (canon lift (core func $s "run") (memory $memory)))
  (func $teardown (result (result (error string))) (canon lift (core func $s "teardown") (memory $memory)))
  (func $summary (param "data" string) (result (result (option (list (tuple string (list u8)))) (error string)))
    (canon lift (core func $s "handle-summary") (memory $memory) (realloc $realloc)))
  (instance $lifecycle
    (export "describe" (func $describe))
    (export "setup" (func $setup))
    (export "run" (func $run))
    (export "teardown" (func $teardown))
    (export "handle-summary" (func $summary)))
  (export "flashcrowd:scenario/lifecycle@0.1.0" (instance $lifecycle)))
