;; A small simulation: four points on orbits, one per vector lane, moved by a leapfrog step.
;;
;; Its state lives in memory and is updated with relaxed-SIMD multiply-add. The specification leaves open
;; whether that instruction rounds once (fused) or twice: a compiler that may use the processor's FMA rounds
;; once, one that makes code for any x86-64 rounds twice. Both are right, and after a few steps they disagree.
;; That is what a divergence looks like when an engine is compiled, tuned or ported differently:
;;
;;   forkpoint compare examples/orbit.wat --invoke 'run 100' --rhs wasmtime:aot,target=portable
(module
  (memory (export "memory") 1)

  ;; Layout: 0 positions x, 16 velocities v, 64.. the history of x, 16 bytes a step.
  (data (i32.const 0)
    "\00\00\80\3f" "\cd\cc\8c\3f" "\9a\99\99\3f" "\66\66\a6\3f"   ;; x = 1.0 1.1 1.2 1.3
    "\00\00\00\00" "\cd\cc\cc\3d" "\cd\cc\4c\3e" "\9a\99\99\3e")  ;; v = 0.0 0.1 0.2 0.3

  (global $dt v128 (v128.const f32x4 0.01 0.01 0.01 0.01))
  (global $minus_dt v128 (v128.const f32x4 -0.01 -0.01 -0.01 -0.01))

  ;; v' = v - x * dt, then x' = x + v' * dt: a harmonic oscillator.
  (func $step (param $history i32)
    (v128.store (i32.const 16)
      (f32x4.relaxed_madd
        (v128.load (i32.const 0))
        (global.get $minus_dt)
        (v128.load (i32.const 16))))
    (v128.store (i32.const 0)
      (f32x4.relaxed_madd
        (v128.load (i32.const 16))
        (global.get $dt)
        (v128.load (i32.const 0))))
    (v128.store (local.get $history) (v128.load (i32.const 0))))

  ;; Runs this many steps (at most 4000) and returns the first point's position.
  (func $run (export "run") (param $steps i32) (result f32)
    (local $history i32)
    (local.set $history (i32.const 64))
    (if (i32.gt_u (local.get $steps) (i32.const 4000))
      (then (local.set $steps (i32.const 4000))))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $steps)))
        (call $step (local.get $history))
        (local.set $history (i32.add (local.get $history) (i32.const 16)))
        (local.set $steps (i32.sub (local.get $steps) (i32.const 1)))
        (br $next)))
    (f32x4.extract_lane 0 (v128.load (i32.const 0)))))
