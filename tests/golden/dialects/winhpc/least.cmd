@echo off
chcp 65001 >nul
setlocal EnableExtensions DisableDelayedExpansion
set solveyard_stage=directory
mkdir "C:\data\end.0.begun" 2>nul || exit /b 125
cd /d "C:\data" || goto solveyard_end
set "SOLVEYARD_ATTEMPT=0123456789abcdef0123456789abcdef.7.0.1"
set solveyard_stage=command
.\solve dipole.in >>"C:\data\out.0" 2>>"C:\data\err.0"
set SOLVEYARD_EXIT=%errorlevel%
goto solveyard_told
:solveyard_end
set SOLVEYARD_EXIT=%errorlevel%
:solveyard_told
>"C:\data\end.0.new" echo {"attempt":"0123456789abcdef0123456789abcdef.7.0.1","native":"%CCP_JOBID%","host":"%COMPUTERNAME%","stage":"%solveyard_stage%","code":%SOLVEYARD_EXIT%,"shell":false}
move /y "C:\data\end.0.new" "C:\data\end.0" >nul
exit /b %SOLVEYARD_EXIT%
