;; A scenario whose only iteration wants table elements without end. No Rust of today writes `table.grow`, so this is written by hand.
;; The tests run the .wasm beside it: `wasm-tools parse table-hog.wat -o table-hog.wasm`. `table-huge.wasm` is the same with a million
;; elements from the beginning: `(table $table 1000000 funcref)`.
(component
  (core module $module
    (memory (export "memory") 1)
    (table $table 1 funcref)
    ;; `describe` gives a pointer to its answer's place and length.
    (data (i32.const 16) "\00\01\00\00\42\00\00\00")
    (data (i32.const 256) "{\"contract\":\"0.1.0\",\"functions\":[{\"name\":\"default\"}],\"options\":{}}")
    (func (export "describe") (result i32) (i32.const 16))
    ;; Zeros are the `ok` of a result, and the `none` of an option in it.
    (func (export "setup") (result i32) (i32.const 64))
    (func (export "run") (param i32) (result i32)
      (loop $more
        (br_if $more (i32.ne (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1))))
      (unreachable))
    (func (export "teardown") (result i32) (i32.const 64))
    (func (export "handle-summary") (param i32 i32) (result i32) (i32.const 64))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
  (core instance $instance (instantiate $module))
  (func $describe (result string)
    (canon lift (core func $instance "describe") (memory $instance "memory")))
  (func $setup (result (result (option (list u8)) (error string)))
    (canon lift (core func $instance "setup") (memory $instance "memory")))
  (func $run (param "function" u32) (result (result (error string)))
    (canon lift (core func $instance "run") (memory $instance "memory")))
  (func $teardown (result (result (error string)))
    (canon lift (core func $instance "teardown") (memory $instance "memory")))
  (func $handle-summary (param "data" string) (result (result (option (list (tuple string (list u8)))) (error string)))
    (canon lift (core func $instance "handle-summary") (memory $instance "memory") (realloc (func $instance "realloc"))))
  (instance $lifecycle
    (export "describe" (func $describe))
    (export "setup" (func $setup))
    (export "run" (func $run))
    (export "teardown" (func $teardown))
    (export "handle-summary" (func $handle-summary)))
  (export "flashcrowd:scenario/lifecycle@0.1.0" (instance $lifecycle)))
