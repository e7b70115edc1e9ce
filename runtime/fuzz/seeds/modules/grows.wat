(module (memory 1)
  (func (export "run") (loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    (i32.store (i32.const 65532) (i32.const 1))))
