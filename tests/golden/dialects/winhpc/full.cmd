@echo off
chcp 65001 >nul
setlocal EnableExtensions DisableDelayedExpansion
set solveyard_stage=directory
mkdir "C:\data\di pole\end.0.begun" 2>nul || exit /b 125
cd /d "C:\data\di pole" || goto solveyard_end
set "A=1 2"
set "B=50%%"
set "SOLVEYARD_ATTEMPT=0123456789abcdef0123456789abcdef.7.0.1"
set solveyard_stage=prologue
call :solveyard_prologue >>"C:\data\di pole\out.0" 2>>"C:\data\di pole\err.0"
if not "%errorlevel%"=="0" goto solveyard_end
set solveyard_stage=command
.\solve "it's 5 %%" -o out.s1p >>"C:\data\di pole\out.0" 2>>"C:\data\di pole\err.0"
set SOLVEYARD_EXIT=%errorlevel%
call :solveyard_epilogue >>"C:\data\di pole\out.0" 2>>"C:\data\di pole\err.0"
goto solveyard_told
:solveyard_end
set SOLVEYARD_EXIT=%errorlevel%
:solveyard_told
>"C:\data\di pole\end.0.new" echo {"attempt":"0123456789abcdef0123456789abcdef.7.0.1","native":"%CCP_JOBID%","host":"%COMPUTERNAME%","stage":"%solveyard_stage%","code":%SOLVEYARD_EXIT%,"shell":false}
move /y "C:\data\di pole\end.0.new" "C:\data\di pole\end.0" >nul
exit /b %SOLVEYARD_EXIT%
:solveyard_prologue
export OMP_NUM_THREADS=2
ulimit -c 0
exit /b %errorlevel%
:solveyard_epilogue
rm -rf scratch
exit /b %errorlevel%
